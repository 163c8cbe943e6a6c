"""A rewrite table rolled back: what an earlier version served is served again."""

from collections.abc import Iterable, Mapping

from msgspec import Struct
from sqlalchemy import Connection, or_, select

from rewriting.table.confidence_limits import ConfidenceLimits, confidence_limits
from rewriting.table.occasion import ANY_KIND, TurnKind
from rewriting.table.revision import (
    STANDS,
    TableRevision,
    blocked_targets,
    held_wishes,
    stood_at,
    stored_rewrites,
)
from rewriting.table.rewrite import Rewrite, RewriteId, Scope, TableVersion
from rewriting.table.row_change import Restoration, StoredRewrite, restore_rows
from rewriting.table.schema import REWRITES
from streams.stores.database_schema import chunks
from streams.turn import AssistantId


class ServedPair(Struct, frozen=True, kw_only=True):
    """A request, and what is run in its place while the row is live."""

    rewrite_id: RewriteId
    scope: Scope
    source_text: str
    question: str  # only after this question; empty: whatever was asked
    target_text: str
    max_confidence: float | None  # for requests understood less surely than this, 0..1; None: all
    max_asr_confidence: float | None = None  # where the recogniser's alone is known; None: `max_confidence`
    max_nlu_confidence: float | None = None  # where the NLU's alone is known; None: `max_confidence`
    locale: str = ""  # only in this locale; empty: in any
    turn_kind: TurnKind = ANY_KIND  # only for this kind of turn

    @property
    def limits(self) -> ConfidenceLimits | None:
        """Below which confidence it is served, by what is known of a request; None: below any."""
        return confidence_limits(self.max_confidence, self.max_asr_confidence, self.max_nlu_confidence)


class Rollback(Struct, frozen=True, kw_only=True):
    """What a rollback changed in what is served; all sorted by source text.

    A rewrite whose target or limit changes is no longer served as it was, and served as it is.
    """

    version: TableVersion  # the newest one now
    served_again: tuple[ServedPair, ...]
    no_longer_served: tuple[ServedPair, ...]
    still_blocked: tuple[ServedPair, ...]  # the earlier version served them, and they stay blocked


def roll_back(
    connection: Connection,
    revision: TableRevision,
    assistant_id: AssistantId,
    to_version: TableVersion,
    *,
    lift_blocks: bool,
) -> Rollback:
    """Makes the revision serve what an earlier version of the table served.

    Args:
        connection: in the transaction of the revision.
        revision: of the table, just begun; it is finished here.
        assistant_id: whose table.
        to_version: 0 up to the newest.
        lift_blocks: whether blocks that somebody asked for are lifted where the version served the rewrite.
    """
    before: list[Rewrite] = []
    after: list[Rewrite] = []
    still_blocked: list[Rewrite] = []
    concerned = connection.scalars(
        select(REWRITES.c.rewrite_id).where(
            REWRITES.c.assistant_id == assistant_id,
            or_(REWRITES.c.version > to_version, REWRITES.c.status == "live"),
            STANDS,
        )
    ).all()
    for ids in chunks(concerned):
        rows = stored_rewrites(connection, assistant_id, ids, STANDS)
        earlier = stored_rewrites(connection, assistant_id, ids, stood_at(to_version))
        wishes = held_wishes(connection, assistant_id, ids)
        asked_for = blocked_targets(connection, assistant_id, ids, by_rollback=False)
        restoration = restore_rows(rows, earlier, wishes, {} if lift_blocks else asked_for)
        revision.unblock(restoration.freed)
        revision.block(restoration.undone, by_rollback=True)
        revision.write(restoration.rows)
        revision.release(wishes)
        revision.hold(restoration.wishes)
        for was, is_now in _changes_in_service(rows, restoration):
            before.append(was)
            after.append(is_now)
        still_blocked += restoration.still_blocked
    return Rollback(
        version=revision.finish(),
        served_again=_pairs(row for row in after if row.status == "live"),
        no_longer_served=_pairs(row for row in before if row.status == "live"),
        still_blocked=_pairs(still_blocked),
    )


def _changes_in_service(
    rows: Mapping[RewriteId, StoredRewrite], restoration: Restoration
) -> Iterable[tuple[Rewrite, Rewrite]]:
    """The rows for which something else is served than before: as they were, and as they become."""
    for row in restoration.rows:
        was, is_now = rows[row.rewrite.rewrite_id].rewrite, row.rewrite
        if _service(was) != _service(is_now):
            yield was, is_now


def _service(rewrite: Rewrite) -> tuple[str, ConfidenceLimits | None] | None:
    return (rewrite.target_text, rewrite.limits) if rewrite.status == "live" else None


def _pairs(rewrites: Iterable[Rewrite]) -> tuple[ServedPair, ...]:
    pairs = [
        ServedPair(
            rewrite_id=rewrite.rewrite_id,
            scope=rewrite.scope,
            source_text=rewrite.source_text,
            question=rewrite.question,
            target_text=rewrite.target_text,
            max_confidence=rewrite.max_confidence,
            max_asr_confidence=rewrite.max_asr_confidence,
            max_nlu_confidence=rewrite.max_nlu_confidence,
            locale=rewrite.locale,
            turn_kind=rewrite.turn_kind,
        )
        for rewrite in rewrites
    ]
    return tuple(sorted(pairs, key=lambda pair: (pair.source_text, pair.rewrite_id)))
