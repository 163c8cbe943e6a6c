"""The stored table: the rewrites of all assistants in a database, as they are and as they ever were."""

from collections.abc import Iterable

from sqlalchemy import Connection, Engine, select

from rewriting.errors import UnknownRewriteError, UnknownVersionError
from rewriting.table.revision import STANDS, newest_version, rewrites_where, stood_at, stored_rewrites
from rewriting.table.rewrite import Rewrite, RewriteId, RewriteStatus, TableVersion
from rewriting.table.row_change import StoredRewrite
from rewriting.table.schema import (
    FORGOTTEN_REWRITES,
    REWRITE_BLOCKS,
    REWRITE_HOLDS,
    REWRITE_TABLE_VERSIONS,
    REWRITE_TABLES,
    REWRITES,
)
from rewriting.table.table_snapshot import BlockedPair, TableDelta, TableSnapshot, VersionRecord
from streams.stores.database_schema import reading
from streams.turn import AssistantId


class StoredTable:
    """Reads the rewrites of all assistants; `RewriteTable` changes them.

    Each call reads in a transaction of its own, and raises the database's errors, some of which pass by
    themselves when the call is repeated.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def version(self, assistant_id: AssistantId) -> TableVersion:
        """The newest version; 0 for an assistant that nothing was written for."""
        with reading(self._engine) as connection:
            return newest_version(connection, assistant_id)

    def versions(self) -> dict[AssistantId, TableVersion]:
        """The newest version of each assistant that has one: one small query, whatever the tables hold."""
        tables = REWRITE_TABLES.c
        with reading(self._engine) as connection:
            rows = connection.execute(select(tables.assistant_id, tables.version).where(tables.version > 0))
            return {AssistantId(assistant_id): TableVersion(version) for assistant_id, version in rows}

    def assistants_without_rewrites(self) -> list[AssistantId]:
        """Those whose table was looked at by a writer, and that never had a rewrite; sorted."""
        tables = REWRITE_TABLES.c
        with reading(self._engine) as connection:
            rows = connection.scalars(select(tables.assistant_id).where(tables.version == 0))
            return sorted(map(AssistantId, rows))

    def read(
        self,
        assistant_id: AssistantId,
        version: TableVersion | None = None,
        *,
        status: RewriteStatus | None = None,
    ) -> TableSnapshot:
        """The table as it is, or as it was at an earlier version.

        Args:
            assistant_id: whose table.
            version: 0 up to the newest; the newest by default.
            status: only the rewrites that had this status; by default all, blocked and retired ones too.

        Raises:
            UnknownVersionError: there was no such version.
        """
        with reading(self._engine) as connection:
            newest = newest_version(connection, assistant_id)
            if version is None or version == newest:
                version, at = newest, STANDS
            else:
                check_version(assistant_id, version, newest)
                at = stood_at(version)
            conditions = [REWRITES.c.assistant_id == assistant_id, at]
            if status is not None:
                conditions.append(REWRITES.c.status == status)
            return TableSnapshot(assistant_id, version, _sorted(rewrites_where(connection, *conditions)))

    def changes(self, assistant_id: AssistantId, since: TableVersion) -> TableDelta:
        """What changed after a version; its cost grows with the changes, not with the table.

        Raises:
            UnknownVersionError: there was no such version; after a database was restored from a copy a
                follower may find itself ahead of it, and must read the whole table.
        """
        forgotten = FORGOTTEN_REWRITES.c
        with reading(self._engine) as connection:
            newest = newest_version(connection, assistant_id)
            check_version(assistant_id, since, newest)
            rewrites = _sorted(
                rewrites_where(
                    connection, REWRITES.c.assistant_id == assistant_id, REWRITES.c.version > since, STANDS
                )
            )
            gone = set(
                connection.scalars(
                    select(forgotten.rewrite_id).where(
                        forgotten.assistant_id == assistant_id, forgotten.version > since
                    )
                )
            )
        gone.difference_update(rewrite.rewrite_id for rewrite in rewrites)  # learned anew after that
        return TableDelta(assistant_id, since, newest, rewrites, tuple(sorted(gone)))

    def find(self, assistant_id: AssistantId, rewrite_id: RewriteId) -> Rewrite:
        """The rewrite as it is.

        Raises:
            UnknownRewriteError: this assistant has no such rewrite.
        """
        with reading(self._engine) as connection:
            return standing_rewrite(connection, assistant_id, rewrite_id).rewrite

    def history(self, assistant_id: AssistantId, rewrite_id: RewriteId) -> list[Rewrite]:
        """All that the rewrite ever was, oldest first; the last is what it is.

        Raises:
            UnknownRewriteError: this assistant has no such rewrite.
        """
        with reading(self._engine) as connection:
            found = rewrites_where(
                connection, REWRITES.c.assistant_id == assistant_id, REWRITES.c.rewrite_id == rewrite_id
            )
            history = sorted(found, key=lambda rewrite: rewrite.version)
        if not history:
            raise _unknown_rewrite(assistant_id, rewrite_id)
        return history

    def log(self, assistant_id: AssistantId, limit: int = 100) -> list[VersionRecord]:
        """What the last versions were made for, newest first."""
        made = REWRITE_TABLE_VERSIONS.c
        statement = (
            select(made.version, made.changed_ms, made.reason, made.actor, made.changes)
            .where(made.assistant_id == assistant_id)
            .order_by(made.version.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [VersionRecord(*row) for row in connection.execute(statement)]

    def blocked_pairs(self, assistant_id: AssistantId) -> list[BlockedPair]:
        """The pairs that cannot go live, the latest first."""
        blocks = REWRITE_BLOCKS.c
        statement = (
            select(blocks.rewrite_id, blocks.target_text, blocks.reason, blocks.actor, blocks.blocked_ms)
            .where(blocks.assistant_id == assistant_id)
            .order_by(blocks.blocked_ms.desc(), blocks.rewrite_id, blocks.target_digest)
        )
        with reading(self._engine) as connection:
            return [BlockedPair(*row) for row in connection.execute(statement)]

    def held_ids(self, assistant_id: AssistantId) -> frozenset[RewriteId]:
        """The rewrites that stay live, whatever the learner wishes, since the table was rolled back."""
        with reading(self._engine) as connection:
            return frozenset(held_rewrites(connection, assistant_id))


def check_version(assistant_id: AssistantId, version: TableVersion, newest: TableVersion) -> None:
    """Raises `UnknownVersionError` where a table never had a version."""
    if not 0 <= version <= newest:
        raise UnknownVersionError(
            f"the table of assistant {assistant_id!r} has no version {version}: name one from 0 to {newest}"
        )


def held_rewrites(connection: Connection, assistant_id: AssistantId) -> list[RewriteId]:
    """The rewrites of an assistant that are held."""
    holds = REWRITE_HOLDS.c
    rows = connection.scalars(select(holds.rewrite_id).where(holds.assistant_id == assistant_id))
    return [RewriteId(rewrite_id) for rewrite_id in rows]


def standing_rewrite(
    connection: Connection, assistant_id: AssistantId, rewrite_id: RewriteId
) -> StoredRewrite:
    """What a rewrite is now; raises `UnknownRewriteError` where the assistant has none of this id."""
    found = stored_rewrites(connection, assistant_id, [rewrite_id], STANDS)
    if rewrite_id not in found:
        raise _unknown_rewrite(assistant_id, rewrite_id)
    return found[rewrite_id]


def _unknown_rewrite(assistant_id: AssistantId, rewrite_id: RewriteId) -> UnknownRewriteError:
    return UnknownRewriteError(
        f"assistant {assistant_id!r} has no rewrite {rewrite_id!r}: look up its id anew"
    )


def _sorted(rewrites: Iterable[Rewrite]) -> tuple[Rewrite, ...]:
    return tuple(sorted(rewrites, key=by_id))


def by_id(rewrite: Rewrite) -> RewriteId:
    """Sorts rewrites."""
    return rewrite.rewrite_id
