"""Fills a lookup table from the database, row by row."""

from sqlalchemy import Engine, select

from rewriting.table.lookup import LookupTable
from rewriting.table.revision import rewrites_where
from rewriting.table.rewrite import TableVersion
from rewriting.table.schema import REWRITE_TABLES, REWRITES
from streams.stores.database_schema import reading
from streams.turn import AssistantId


def load_lookup_table(engine: Engine, assistant_id: AssistantId) -> LookupTable:
    """The newest version of an assistant's table, ready for lookups.

    Rows go into the lookup table as they come from the database: at a million rows this needs a third of the
    memory of a whole `TableSnapshot` in between.
    """
    tables, rows = REWRITE_TABLES.c, REWRITES.c
    with reading(engine) as connection:
        version = connection.scalar(select(tables.version).where(tables.assistant_id == assistant_id))
        rewrites = rewrites_where(
            connection,
            rows.assistant_id == assistant_id,
            rows.until_version.is_(None),
            rows.status.in_(["live", "blocked"]),
        )
        return LookupTable.of(assistant_id, TableVersion(version or 0), rewrites)
