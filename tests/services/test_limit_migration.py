"""A database from before rows had limits by what is known: their one limit holds until they are relearned."""

from earlier_schema import without_limits_by_parts
from rewrites import put, rewrite_row
from sqlalchemy import text
from streaming import store_log

from rewriting.chains.step import STEPS_FORM, session_steps
from rewriting.chains.store import CHAIN_STORE
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite import TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.database import open_database
from services.settings import Settings
from services.simulator.planted_log import PlantedPair, planted_log
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME = AssistantId("home")
LOG = planted_log(
    [PlantedPair(source="play jess", target="play jazz", users=6)], assistant_id=HOME
)  # all are heard with 0.8 and understood with 0.9


def test_the_limit_of_an_earlier_row_holds_for_whatever_is_known_until_it_is_learned_anew(
    database_location: str,
) -> None:
    engine = open_database(database_location)
    store_log(engine, LOG)
    table = RewriteTable(engine, lambda: 1)
    with engine.begin() as connection:
        ChainLearner(table, Settings(), lambda: 1).absorb(connection, map(session_steps, sessionize(LOG)))
    put(table, engine, [rewrite_row("play jess", "play jazz", max_confidence=0.45)])
    put(table, engine, [rewrite_row("play jess", "play jazz", max_confidence=0.35)])
    table.rollback(HOME, TableVersion(1), "better", "ann")
    with engine.begin() as connection:
        wishes = connection.execute(text("SELECT wish FROM rewrite_holds")).scalars().all()
        without_limits_by_parts(connection)
        for wish in wishes:  # an earlier version knows nothing of the new fields
            shorter = wish.replace('"max_asr_confidence":null,"max_nlu_confidence":null,', "")
            assert shorter != wish
            connection.execute(text("UPDATE rewrite_holds SET wish = :wish"), {"wish": shorter})
    engine.dispose()

    opened = open_database(database_location)
    lookups = load_lookup_table(opened, HOME)
    for parts in ("product", "asr", "nlu"):
        assert lookups.look_up("play jess", "u", 0.44, parts=parts).rewrite is not None
        assert lookups.look_up("play jess", "u", 0.45, parts=parts).rewrite is None
    table = RewriteTable(opened, lambda: 2)
    table.release(HOME, "as learned", "ann")
    assert [row.max_confidence for row in table.read(HOME).rewrites] == [0.35]
    with opened.begin() as connection:
        ChainLearner(table, Settings(), lambda: 2).refresh(connection)
    with reading(opened) as connection:
        assert {steps.form for steps in CHAIN_STORE.all(connection, HOME)} == {STEPS_FORM}
    (row,) = table.read(HOME).rewrites
    assert row.limits is None  # it failed for all, however surely it was understood
    opened.dispose()
