"""A database from before rewrites had places: its rows hold in every locale and for every kind of turn."""

from earlier_schema import without_places_of_rewrites
from rewrites import put, rewrite_row

from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite import TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.platform.database import open_database
from streams.turn import AssistantId

HOME = AssistantId("home")


def test_rows_of_an_earlier_version_go_on_everywhere_with_their_history(database_location: str) -> None:
    engine = open_database(database_location)
    table = RewriteTable(engine, lambda: 1)
    rows = [rewrite_row("gift", "present"), rewrite_row("no", "south", question="what area")]
    put(table, engine, rows)
    put(table, engine, [rewrite_row("gift", "a present")])
    table.block(HOME, rows[1].rewrite_id, "wrong", "ann")
    before = table.read(HOME).rewrites
    with engine.begin() as connection:
        without_places_of_rewrites(connection)
    engine.dispose()

    opened = open_database(database_location)
    table = RewriteTable(opened, lambda: 2)
    assert table.read(HOME).rewrites == before
    assert {(row.locale, row.turn_kind) for row in table.read(HOME, TableVersion(1)).rewrites} == {
        ("", "any")
    }
    assert put(table, opened, [rewrite_row("gift", "a present")]) == 3  # nothing new
    put(table, opened, [rewrite_row("gift", "poison", locale="de-DE")])
    lookups = load_lookup_table(opened, HOME)
    said = [lookups.look_up("gift", locale=locale).rewrite for locale in ("en", "de_de")]
    assert [rewrite and rewrite.text for rewrite in said] == ["a present", "poison"]
    opened.dispose()
