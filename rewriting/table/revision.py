"""One new version of a rewrite table in the making, and the rows that versions are made of."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    false,
    or_,
    select,
    true,
    update,
)

from rewriting.table.occasion import Place, locale_key
from rewriting.table.rewrite import Rewrite, RewriteId, TableVersion
from rewriting.table.row_change import StoredRewrite, storable_text
from rewriting.table.schema import (
    FORGOTTEN_REWRITES,
    PLACED,
    REWRITE_BLOCKS,
    REWRITE_HOLDS,
    REWRITE_TABLE_VERSIONS,
    REWRITE_TABLES,
    REWRITES,
    ROW_VERDICTS,
)
from streams.stores.assistant_row import AssistantRows
from streams.stores.database_schema import chunks, upsert
from streams.turn import AssistantId

STANDS: Final[ColumnElement[bool]] = REWRITES.c.until_version.is_(None)
"""Whether a row is what its rewrite is now."""

_FIELDS = Rewrite.__struct_fields__
_EVIDENCE = _FIELDS.index("evidence")
_COLUMNS = [REWRITES.c[field] for field in _FIELDS]
_ROWS_PER_FETCH = 10_000  # read from the server at a time: about 10 MB


class _TableState(Struct, frozen=True):
    version: TableVersion = TableVersion(0)


_TABLES: Final = AssistantRows(REWRITE_TABLES, _TableState)


class TableRevision:
    """Makes one new version of one assistant's table, or none if nothing changes.

    From the start to the end of the transaction no other writer can change this assistant's table, so
    versions follow each other without gaps.
    """

    def __init__(
        self, connection: Connection, assistant_id: AssistantId, changed_ms: int, reason: str, actor: str
    ) -> None:
        self.base = lock_table(connection, assistant_id)
        self.version = TableVersion(self.base + 1)
        self._connection = connection
        self._assistant_id = assistant_id
        self._changed_ms = changed_ms
        self._reason = storable_text(reason)
        self._actor = storable_text(actor)
        self._changes = 0

    def write(
        self, rows: Sequence[StoredRewrite], reasons: Mapping[RewriteId, str] = MappingProxyType({})
    ) -> None:
        """Puts rows in the place of those that stand; version, time and reason are those of the revision.

        Args:
            rows: the new ones.
            reasons: of those that have one of their own.
        """
        if not rows:
            return
        if self.base:
            self._end([row.rewrite.rewrite_id for row in rows])
        self._connection.execute(
            REWRITES.insert(),
            [
                msgspec.structs.asdict(row.rewrite)
                | {
                    "evidence": msgspec.json.encode(row.rewrite.evidence).decode(),
                    "wished_status": row.wished_status,
                    "version": self.version,
                    "until_version": None,
                    "changed_ms": self._changed_ms,
                    "reason": storable_text(reasons.get(row.rewrite.rewrite_id, self._reason)),
                }
                for row in rows
            ],
        )
        self._changes += len(rows)

    def forget(self, rewrite_ids: Sequence[RewriteId]) -> None:
        """Deletes rewrites with all that is kept of them; only their ids stay, for followers."""
        for chunk in chunks(rewrite_ids):
            for table in (REWRITES, REWRITE_BLOCKS, REWRITE_HOLDS, ROW_VERDICTS):
                self._connection.execute(
                    delete(table).where(
                        table.c.assistant_id == self._assistant_id, table.c.rewrite_id.in_(chunk)
                    )
                )
        upsert(
            self._connection,
            FORGOTTEN_REWRITES,
            [
                {"assistant_id": self._assistant_id, "rewrite_id": rewrite_id, "version": self.version}
                for rewrite_id in rewrite_ids
            ],
        )
        self._changes += len(rewrite_ids)

    def block(self, pairs: Collection[tuple[RewriteId, str]], *, by_rollback: bool = False) -> None:
        """Keeps rewrites (id, target text) from going live.

        A block that is there stays as it is, unless it is a rollback's and somebody asks for it now: then it
        is theirs, and a later rollback does not lift it.
        """
        if not by_rollback:
            self._unblock(pairs, REWRITE_BLOCKS.c.by_rollback == true())
        rows = [
            {
                "assistant_id": self._assistant_id,
                "rewrite_id": rewrite_id,
                "target_digest": _digest(target_text),
                "target_text": target_text,
                "reason": self._reason,
                "actor": self._actor,
                "blocked_ms": self._changed_ms,
                "by_rollback": by_rollback,
            }
            for rewrite_id, target_text in pairs
        ]
        upsert(self._connection, REWRITE_BLOCKS, rows, update=())

    def unblock(self, pairs: Collection[tuple[RewriteId, str]]) -> None:
        """Lets rewrites (id, target text) go live again."""
        self._unblock(pairs)

    def hold(self, wishes: Iterable[Rewrite]) -> None:
        """Keeps rewrites live, and remembers what the learner wants them to be."""
        rows = [
            {
                "assistant_id": self._assistant_id,
                "rewrite_id": wish.rewrite_id,
                "wish": msgspec.json.encode(wish).decode(),
            }
            for wish in wishes
        ]
        upsert(self._connection, REWRITE_HOLDS, rows)

    def release(self, rewrite_ids: Collection[RewriteId]) -> None:
        """Ends the holds of rewrites."""
        for chunk in chunks(rewrite_ids):
            self._connection.execute(
                delete(REWRITE_HOLDS).where(
                    REWRITE_HOLDS.c.assistant_id == self._assistant_id,
                    REWRITE_HOLDS.c.rewrite_id.in_(chunk),
                )
            )

    def finish(self) -> TableVersion:
        """Makes the version known; the one before it where nothing has changed."""
        if not self._changes:
            return self.base
        _TABLES.set(self._connection, self._assistant_id, version=self.version)
        self._connection.execute(
            REWRITE_TABLE_VERSIONS.insert().values(
                assistant_id=self._assistant_id,
                version=self.version,
                changed_ms=self._changed_ms,
                reason=self._reason,
                actor=self._actor,
                changes=self._changes,
            )
        )
        return self.version

    def _end(self, rewrite_ids: Sequence[RewriteId]) -> None:
        for chunk in chunks(rewrite_ids):
            self._connection.execute(
                update(REWRITES)
                .where(
                    REWRITES.c.assistant_id == self._assistant_id,
                    REWRITES.c.rewrite_id.in_(chunk),
                    REWRITES.c.until_version.is_(None),
                )
                .values(until_version=self.version)
            )

    def _unblock(self, pairs: Collection[tuple[RewriteId, str]], *conditions: ColumnElement[bool]) -> None:
        if not pairs:
            return
        blocks = REWRITE_BLOCKS.c
        self._connection.execute(
            delete(REWRITE_BLOCKS).where(
                blocks.assistant_id == self._assistant_id,
                blocks.rewrite_id == bindparam("pair_id"),
                blocks.target_digest == bindparam("pair_digest"),
                *conditions,
            ),
            [
                {"pair_id": rewrite_id, "pair_digest": _digest(target_text)}
                for rewrite_id, target_text in pairs
            ],
        )


def stood_at(version: TableVersion) -> ColumnElement[bool]:
    """Whether a row was what its rewrite was at a version."""
    until = REWRITES.c.until_version
    return and_(REWRITES.c.version <= version, or_(until.is_(None), until > version))


def lock_table(connection: Connection, assistant_id: AssistantId) -> TableVersion:
    """Keeps other writers from a table until the transaction ends; gives its newest version."""
    return _TABLES.lock(connection, assistant_id).version


def newest_version(connection: Connection, assistant_id: AssistantId) -> TableVersion:
    """The newest version of a table; 0 for an assistant that nothing was written for."""
    return _TABLES.of(connection, assistant_id).version


def held_places(connection: Connection, assistant_id: AssistantId) -> set[Place]:
    """The places in which an assistant has standing rows, without those that hold everywhere."""
    rows = REWRITES.c
    statement = (
        select(rows.locale, rows.turn_kind)
        .where(rows.assistant_id == assistant_id, PLACED, STANDS)
        .distinct()
    )
    return {Place(locale_key(locale), kind) for locale, kind in connection.execute(statement)}


def rewrites_where(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Rewrite]:
    """The rewrites of the rows that meet the conditions, in no order."""
    statement = select(*_COLUMNS).where(*conditions).execution_options(yield_per=_ROWS_PER_FETCH)
    return map(_rewrite, connection.execute(statement))


def stored_rewrites(
    connection: Connection,
    assistant_id: AssistantId,
    rewrite_ids: Iterable[RewriteId],
    at: ColumnElement[bool],
) -> dict[RewriteId, StoredRewrite]:
    """The rows of some rewrites (at most `KEYS_PER_STATEMENT`) that meet a condition on their versions."""
    statement = select(*_COLUMNS, REWRITES.c.wished_status).where(
        REWRITES.c.assistant_id == assistant_id, REWRITES.c.rewrite_id.in_(list(rewrite_ids)), at
    )
    stored = (StoredRewrite(_rewrite(row[:-1]), row[-1]) for row in connection.execute(statement))
    return {row.rewrite.rewrite_id: row for row in stored}


def blocked_targets(
    connection: Connection,
    assistant_id: AssistantId,
    rewrite_ids: Iterable[RewriteId],
    *,
    by_rollback: bool = True,
) -> dict[RewriteId, set[str]]:
    """The target texts that must not go live, of those of some rewrites that have any.

    Args:
        connection: to the database of the table.
        assistant_id: whose table.
        rewrite_ids: at most `KEYS_PER_STATEMENT`.
        by_rollback: whether those count that a rollback has blocked, beside what somebody asked to block.
    """
    statement = select(REWRITE_BLOCKS.c.rewrite_id, REWRITE_BLOCKS.c.target_text).where(
        REWRITE_BLOCKS.c.assistant_id == assistant_id, REWRITE_BLOCKS.c.rewrite_id.in_(list(rewrite_ids))
    )
    if not by_rollback:
        statement = statement.where(REWRITE_BLOCKS.c.by_rollback == false())
    blocked: dict[RewriteId, set[str]] = {}
    for rewrite_id, target_text in connection.execute(statement):
        blocked.setdefault(rewrite_id, set()).add(target_text)
    return blocked


def held_wishes(
    connection: Connection, assistant_id: AssistantId, rewrite_ids: Iterable[RewriteId]
) -> dict[RewriteId, Rewrite]:
    """What the learner wants of those of some rewrites that are held; status `retired`: none."""
    statement = select(REWRITE_HOLDS.c.rewrite_id, REWRITE_HOLDS.c.wish).where(
        REWRITE_HOLDS.c.assistant_id == assistant_id, REWRITE_HOLDS.c.rewrite_id.in_(list(rewrite_ids))
    )
    return {
        RewriteId(rewrite_id): msgspec.json.decode(wish, type=Rewrite)
        for rewrite_id, wish in connection.execute(statement)
    }


def _rewrite(row: Row[tuple[object, ...]] | tuple[object, ...]) -> Rewrite:
    values = list(row)
    values[_EVIDENCE] = msgspec.json.decode(str(values[_EVIDENCE]), type=tuple[str, ...])
    return Rewrite(**dict(zip(_FIELDS, values, strict=True)))  # type: ignore[arg-type]  # columns are typed


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
