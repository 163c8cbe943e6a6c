"""A database from before serving could be switched off: it is on."""

from earlier_schema import without_serving_switches
from rewrites import put, rewrite_row

from rewriting.serving.switch import serving_switches, turn_serving
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite_table import RewriteTable
from services.platform.database import open_database
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME = AssistantId("home")


def test_serving_of_an_earlier_database_is_on_and_can_be_switched_off(database_location: str) -> None:
    engine = open_database(database_location)
    put(RewriteTable(engine, lambda: 1), engine, [rewrite_row("pley jazz", "play jazz")])
    with engine.begin() as connection:
        without_serving_switches(connection)
    engine.dispose()

    engine = open_database(database_location)
    with reading(engine) as connection:
        assert serving_switches(connection) == {}
    assert load_lookup_table(engine, HOME).look_up("pley jazz").rewrite is not None
    with engine.begin() as connection:
        turn_serving(connection, HOME, off=True, reason="a trial", actor="eve", now_ms=1)
    engine.dispose()

    engine = open_database(database_location)
    with reading(engine) as connection:
        assert serving_switches(connection)[HOME].off
    engine.dispose()
