"""Fills a lookup table from the database, row by row."""

from sqlalchemy import Engine

from rewriting.table.lookup import LookupTable
from rewriting.table.revision import newest_version, rewrites_where
from rewriting.table.schema import REWRITES
from streams.stores.database_schema import reading
from streams.turn import AssistantId


def load_lookup_table(engine: Engine, assistant_id: AssistantId) -> LookupTable:
    """The newest version of an assistant's table, ready for lookups.

    Rows go into the lookup table as they come from the database: at a million rows this needs a third of the
    memory of a whole `TableSnapshot` in between.
    """
    rows = REWRITES.c
    with reading(engine) as connection:
        version = newest_version(connection, assistant_id)
        rewrites = rewrites_where(
            connection,
            rows.assistant_id == assistant_id,
            rows.until_version.is_(None),
            rows.status.in_(["live", "blocked"]),
        )
        return LookupTable.of(assistant_id, version, rewrites)
