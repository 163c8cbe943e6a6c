"""The rewrite table: what requests are replaced by, with every earlier version of it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog
from msgspec import structs
from sqlalchemy import Connection, Engine, select, text

from rewriting.table.occasion import ANYWHERE
from rewriting.table.revision import STANDS, TableRevision, blocked_targets, held_wishes, stored_rewrites
from rewriting.table.rewrite import Method, Rewrite, RewriteId, TableVersion, user_scope
from rewriting.table.rollback import Rollback, roll_back
from rewriting.table.row_change import (
    ANY_TARGET,
    StoredRewrite,
    blocked_row,
    check_proposals,
    released_row,
    row_with_status,
    same_content,
    storable_proposal,
    wished_row,
)
from rewriting.table.schema import REWRITES
from rewriting.table.stored_table import StoredTable, by_id, check_version, held_rewrites, standing_rewrite
from rewriting.table.text_block import end_text_block, extend_text_blocks
from streams.stores.database_schema import chunks
from streams.turn import AssistantId, UserId

log = structlog.get_logger()

LEARNER: Final = "learner"
"""The actor of changes that nobody asked for by hand."""


class RewriteTable(StoredTable):
    """The rewrites of all assistants, in a database.

    Each assistant has a table of its own, whose versions count from 1; 0 is the empty table before them.
    A change of any number of rows makes one version. Rows are never overwritten: what a row was stays as
    history, so that every version can be read again. The exception is a forgotten user, whose rows are gone
    from the history as well.

    A rewrite is blocked as a pair of source and target: the learner can neither bring the pair back, nor put
    it in the place of another target that took over meanwhile.

    A rewrite that a rollback left live is held: until it is released, the learner can neither withdraw it nor
    give it another target. What the learner wishes meanwhile is remembered.

    Methods that take a connection write in the caller's transaction (`engine.begin()`); the others have
    their own. All raise the database's errors, some of which pass by themselves when the call is repeated.
    """

    def __init__(self, engine: Engine, clock_ms: Callable[[], int]) -> None:
        super().__init__(engine)
        self._clock_ms = clock_ms

    def put(
        self,
        connection: Connection,
        assistant_id: AssistantId,
        proposals: Sequence[Rewrite],
        withdrawn: Collection[RewriteId],
        reason: str,
        changed_ms: int,
        reasons: Mapping[RewriteId, str] = MappingProxyType({}),
    ) -> TableVersion:
        """Writes what the learner wants some rewrites to be; the others stay as they are.

        Repeating a call changes nothing: rows that already are as wished keep their version, and if all are,
        no version is made. A proposal of a blocked pair becomes a row with status `blocked`, unless the
        source has another target by now: then that one stays. A held row stays live and keeps its target; the
        wish is remembered. NUL characters in texts are dropped.

        Args:
            connection: in a transaction that writes.
            assistant_id: whose table.
            proposals: of status `candidate`, `shadow` or `live`, each id once; their version, time and
                reason are passed over.
            withdrawn: become `retired` where they are in the table; blocked ones stay blocked, held ones
                live.
            reason: why, for the rows that change.
            changed_ms: when, for the rows that change; milliseconds since 1970.
            reasons: why, for those of the withdrawn rows that have a reason of their own.

        Returns:
            The newest version after the call.

        Raises:
            RewriteTableError: a proposal that cannot be written.
        """
        check_proposals(assistant_id, proposals, withdrawn)
        revision = TableRevision(connection, assistant_id, changed_ms, reason, LEARNER)
        empty = revision.base == 0  # then there is nothing to compare with
        wishes: list[Rewrite] = []  # for held rows, that have changed
        for chunk in chunks(sorted(proposals, key=by_id)):  # in order of the index: faster than as they come
            ids = [proposal.rewrite_id for proposal in chunk]
            found = {} if empty else stored_rewrites(connection, assistant_id, ids, STANDS)
            blocked = {} if empty else blocked_targets(connection, assistant_id, ids)
            held = {} if empty else held_wishes(connection, assistant_id, ids)
            new = [row for row in chunk if row.place != ANYWHERE and row.rewrite_id not in found]
            for key in extend_text_blocks(connection, revision, new) if new and not empty else ():
                blocked.setdefault(key, set()).add(ANY_TARGET)
            rows: list[StoredRewrite | None] = []
            for proposal in map(storable_proposal, chunk):
                key = proposal.rewrite_id
                blocks = blocked.get(key, set())
                rows.append(wished_row(proposal, found.get(key), blocks, held=key in held))
                if key in held and not same_content(held[key], proposal):
                    wishes.append(proposal)
            revision.write([row for row in rows if row is not None])
        for ids in chunks(sorted(withdrawn)) if not empty else ():
            held = held_wishes(connection, assistant_id, ids)
            wishes += [
                structs.replace(wish, status="retired") for wish in held.values() if wish.status != "retired"
            ]
            revision.write(
                [
                    row_with_status(row.rewrite, "retired", blocked=row.rewrite.status == "blocked")
                    for row in stored_rewrites(connection, assistant_id, ids, STANDS).values()
                    if row.wished_status != "retired" and row.rewrite.rewrite_id not in held
                ],
                reasons,
            )
        revision.hold(wishes)
        return revision.finish()

    def standing_ids(
        self, connection: Connection, assistant_id: AssistantId, method: Method
    ) -> list[RewriteId]:
        """The rewrites of one method that are not retired, sorted."""
        rows = connection.scalars(
            select(REWRITES.c.rewrite_id)
            .where(
                REWRITES.c.assistant_id == assistant_id,
                REWRITES.c.method == method,
                REWRITES.c.wished_status != "retired",
                STANDS,
            )
            .order_by(REWRITES.c.rewrite_id)
        )
        return [RewriteId(rewrite_id) for rewrite_id in rows]

    def block(self, assistant_id: AssistantId, rewrite_id: RewriteId, reason: str, actor: str) -> Rewrite:
        """Takes a rewrite out of service until it is unblocked, whatever the learner proposes.

        Blocked is the pair of source and target: another target for the same source may go live. A held
        rewrite is held no more. Blocking a blocked rewrite changes nothing, but that a later rollback does
        not lift the block if it was a rollback's.

        Returns:
            The rewrite as it is now.

        Raises:
            UnknownRewriteError: this assistant has no such rewrite.
        """
        with self._engine.begin() as connection:
            revision = TableRevision(connection, assistant_id, self._clock_ms(), reason, actor)
            row = standing_rewrite(connection, assistant_id, rewrite_id)
            revision.block([(rewrite_id, row.rewrite.target_text)])
            if row.rewrite.status != "blocked":
                wish = held_wishes(connection, assistant_id, [rewrite_id]).get(rewrite_id)
                revision.release([rewrite_id])
                revision.write([blocked_row(row, wish)])
                revision.finish()
                log.info("rewrite blocked", assistant_id=assistant_id, rewrite_id=rewrite_id, actor=actor)
            return standing_rewrite(connection, assistant_id, rewrite_id).rewrite

    def unblock(self, assistant_id: AssistantId, rewrite_id: RewriteId, reason: str, actor: str) -> Rewrite:
        """Lifts every block of a rewrite's source, whichever target it is on.

        The row becomes what the learner last wished: live again, or retired if it was withdrawn meanwhile.
        Unblocking what is not blocked changes nothing, and a held row stays held. Where the text was blocked,
        the block also ends for the rows of one locale or kind of turn that it held for.

        Returns:
            The rewrite as it is now.

        Raises:
            UnknownRewriteError: this assistant has no such rewrite.
        """
        with self._engine.begin() as connection:
            revision = TableRevision(connection, assistant_id, self._clock_ms(), reason, actor)
            row = standing_rewrite(connection, assistant_id, rewrite_id)
            targets = blocked_targets(connection, assistant_id, [rewrite_id]).get(rewrite_id, set())
            if targets:
                revision.unblock([(rewrite_id, target_text) for target_text in targets])
                log.info("rewrite unblocked", assistant_id=assistant_id, rewrite_id=rewrite_id, actor=actor)
            freed = [row]
            if ANY_TARGET in targets:
                freed += end_text_block(connection, revision, row.rewrite)
            revision.write(
                [
                    row_with_status(one.rewrite, one.wished_status, blocked=False)
                    for one in freed
                    if one.rewrite.status == "blocked"
                ]
            )
            revision.finish()
            return standing_rewrite(connection, assistant_id, rewrite_id).rewrite

    def rollback(
        self,
        assistant_id: AssistantId,
        to_version: TableVersion,
        reason: str,
        actor: str,
        *,
        lift_blocks: bool = False,
    ) -> Rollback:
        """Makes a new version with the live rewrites, and their content, of an earlier one.

        What was live then is live again, and held until `release`: the learner may bring its numbers up to
        date, but neither withdraw it nor give it another target. What is live now and was not then is
        blocked, so that the learner cannot bring it back; `unblock` or a rollback to a version with it allow
        it again. Rows that are live in neither stay as they are, and other sources are learned as before.
        Holds of an earlier rollback end. Rewrites of users who were forgotten since do not come back.

        What somebody has blocked, a pair or a text, does not come back, unless `lift_blocks` is given: then
        what was live at that version is freed. Blocks of an earlier rollback are lifted where they stand in
        the way.

        Returns:
            The newest version after the call: a new one, unless nothing had to change; what is served again,
            what no longer, and what stays blocked.

        Raises:
            UnknownVersionError: there was no such version.
        """
        reason = f"rolled back to version {to_version}: {reason}"
        with self._engine.begin() as connection:
            revision = TableRevision(connection, assistant_id, self._clock_ms(), reason, actor)
            check_version(assistant_id, to_version, revision.base)
            done = roll_back(connection, revision, assistant_id, to_version, lift_blocks=lift_blocks)
        log.info("table rolled back", assistant_id=assistant_id, to=to_version, now=done.version, actor=actor)
        return done

    def release(self, assistant_id: AssistantId, reason: str, actor: str) -> TableVersion:
        """Ends all holds: each row becomes what the learner last wished.

        Blocks stay, those of the rollback as well: where the wish is a blocked pair, the row stays as it is.

        Returns:
            The newest version after the call: a new one, unless all rows are as wished.
        """
        with self._engine.begin() as connection:
            revision = TableRevision(connection, assistant_id, self._clock_ms(), reason, actor)
            held = held_rewrites(connection, assistant_id)
            for ids in chunks(held):
                rows = stored_rewrites(connection, assistant_id, ids, STANDS)
                blocked = blocked_targets(connection, assistant_id, ids)
                wished = [
                    released_row(rows[key], wish, blocked.get(key, set()))
                    for key, wish in held_wishes(connection, assistant_id, ids).items()
                ]
                revision.write([row for row in wished if row is not None])
            revision.release(held)
            version = revision.finish()
        log.info("holds released", assistant_id=assistant_id, rewrites=len(held), now=version, actor=actor)
        return version

    def forget_user(self, connection: Connection, assistant_id: AssistantId, user_id: UserId) -> int:
        """Deletes a user's rewrites from the table, its history, its blocks and its holds.

        Followers learn of it by a new version, which names the ids of what is gone and nothing else.

        Args:
            connection: in a transaction that writes.
            assistant_id: whose table.
            user_id: whose rewrites; those of scope `global` rest on many users and stay.

        Returns:
            How many rewrites were deleted.
        """
        reason = "a user was forgotten"
        revision = TableRevision(connection, assistant_id, self._clock_ms(), reason, "erasure request")
        rows = connection.scalars(
            select(REWRITES.c.rewrite_id).where(
                REWRITES.c.assistant_id == assistant_id,
                REWRITES.c.scope == user_scope(user_id),
                text("scope <> 'global'"),  # the index holds for such scopes alone
            )
        )
        rewrite_ids = sorted({RewriteId(rewrite_id) for rewrite_id in rows})
        revision.forget(rewrite_ids)
        revision.finish()
        return len(rewrite_ids)
