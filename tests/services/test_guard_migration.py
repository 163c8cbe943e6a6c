"""A database from before there were guards: its chains are made anew, and what guards refuse is withdrawn."""

from collections.abc import Iterator

import pytest
from earlier_schema import without_guards
from rewrites import live, put, rewrite_row
from sqlalchemy import Engine, delete
from streaming import store_log

from rewriting.chains.step import STEPS_FORM, SessionSteps, session_steps
from rewriting.chains.store import CHAIN_STORE
from rewriting.guards.refused_rewrites import refused_rewrites
from rewriting.table.rewrite import TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.database import open_database
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.stores.session_store import SESSION
from streams.turn import AssistantId

HOME = AssistantId("home")
GOOD = {"play sonk": "play song"}
HARMFUL = {
    "lock the car": "unlock the car",
    "set a timer for five minutes": "set a timer for nine minutes",
    "wake me at six": "wake me at ten",
}
NEVER_SAID = {"play sonk again": "play song again"}


@pytest.fixture
def upgraded(database_location: str) -> Iterator[Engine]:
    """The database after the upgrade, before anything was learned: its table has four rows in version 2."""
    engine = open_database(database_location)
    pairs = {**GOOD, **HARMFUL}
    log = planted_log(
        [PlantedPair(source=source, target=target, users=5) for source, target in pairs.items()],
        failures=dict.fromkeys(NEVER_SAID, 5),
        assistant_id=HOME,
    )
    store_log(engine, log)
    table = RewriteTable(engine, lambda: 1)
    with engine.begin() as connection:
        learner = ChainLearner(table, Settings(), lambda: 1)
        learner.absorb(connection, map(session_steps, sessionize(log)))
        learner.solve(connection)
    assert live(table.read(HOME)) == GOOD
    put(table, engine, [rewrite_row(*pair) for pair in {**HARMFUL, **NEVER_SAID}.items()])
    with engine.begin() as connection:
        without_guards(connection)
    engine.dispose()
    opened = open_database(database_location)
    yield opened
    opened.dispose()


def follow(engine: Engine, *also: AssistantId) -> RewriteTable:
    """What a worker does when it starts, and `rehear learn` with the assistants of its files."""
    table = RewriteTable(engine, lambda: 2)
    with engine.begin() as connection:
        ChainLearner(table, Settings(), lambda: 2).refresh(connection, also)
    return table


def steps(engine: Engine) -> list[SessionSteps]:
    with reading(engine) as connection:
        return list(CHAIN_STORE.all(connection, HOME))


def test_steps_of_an_earlier_version_are_made_anew_from_the_turns(upgraded: Engine) -> None:
    assert {session.form for session in steps(upgraded)} == {0}
    assert not any(session.day for session in steps(upgraded))
    follow(upgraded)
    assert {session.form for session in steps(upgraded)} == {STEPS_FORM}
    assert all(session.day for session in steps(upgraded))
    assert any(step.failed for session in steps(upgraded) for step in session.steps)
    assert len(steps(upgraded)) == 25


def test_steps_of_a_session_that_is_no_more_stay(upgraded: Engine) -> None:
    lost = steps(upgraded)[0]
    with upgraded.begin() as connection:
        connection.execute(delete(SESSION).where(SESSION.c.session_id == lost.session_id))
    follow(upgraded)
    assert [session for session in steps(upgraded) if session.form == 0] == [lost]


def test_rows_that_guards_refuse_are_withdrawn_in_one_version_with_their_reasons(upgraded: Engine) -> None:
    table = follow(upgraded)
    assert live(table.read(HOME)) == GOOD
    newest, *earlier = table.log(HOME, 10)
    assert newest.reason.startswith("withdrawn by guards: 1 not_said_by_these_users, 1 opposite, 2 number")
    assert newest.changes == 4
    assert not any("guards" in record.reason for record in earlier)
    reasons = {row.source_text: row.reason for row in table.read(HOME).rewrites if row.status == "retired"}
    assert reasons["wake me at six"].startswith("withdrawn by guards: number")
    assert reasons["play sonk again"] == "withdrawn by guards: not_said_by_these_users"
    assert reasons["lock the car"].startswith("withdrawn by guards: opposite")
    with reading(upgraded) as connection:
        held_back = {pair.source_text: pair.target_text for pair in refused_rewrites(connection, HOME)}
    assert held_back == HARMFUL
    assert follow(upgraded, HOME).version(HOME) == newest.version  # all is as it is to be


def test_one_rollback_brings_them_back_to_stay(upgraded: Engine) -> None:
    table = follow(upgraded)
    before = TableVersion(table.version(HOME) - 1)
    done = table.rollback(HOME, before, "they were right", "ann")
    assert {pair.source_text for pair in done.served_again} == {*HARMFUL, *NEVER_SAID}
    assert not done.no_longer_served
    for _ in range(2):
        table = follow(upgraded, HOME)
        assert live(table.read(HOME)) == {**GOOD, **HARMFUL, **NEVER_SAID}
        assert table.version(HOME) == done.version
