"""A database from before rollbacks kept blocks: which of its blocks are a rollback's."""

from databases import opened
from earlier_schema import without_tasks_of_notices
from rewrites import HOME, put, rewrite_row
from sqlalchemy import text

from rewriting.table.rewrite import TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.platform.database import VERSION_TABLE


def test_blocks_of_earlier_rollbacks_are_told_from_those_that_somebody_asked_for(
    database_location: str,
) -> None:
    asked, rolled_back = rewrite_row("asked", "1"), rewrite_row("rolled back", "1")
    with opened(database_location) as engine:
        table = RewriteTable(engine, lambda: 1)
        put(table, engine, [asked, rolled_back])
        table.block(HOME, asked.rewrite_id, "wrong", "ann")
        table.rollback(HOME, TableVersion(0), "all wrong", "ann")
        with engine.begin() as connection:
            without_tasks_of_notices(connection)
            connection.execute(text("ALTER TABLE rewrite_blocks DROP COLUMN by_rollback"))
            for later in ("row_verdicts", "row_verdict_revisions"):
                connection.execute(text(f"DROP TABLE {later}"))
            earlier = f"UPDATE {VERSION_TABLE} SET version_num = '0004'"  # noqa: S608 (a constant)
            connection.execute(text(earlier))
    with opened(database_location) as engine:
        table = RewriteTable(engine, lambda: 2)
        table.rollback(HOME, TableVersion(1), "not all", "ann")
        assert [row.source_text for row in table.read(HOME, status="live").rewrites] == ["rolled back"]
        assert table.find(HOME, asked.rewrite_id).status == "blocked"
