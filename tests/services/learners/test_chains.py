"""The chain learner: which settings it goes by, and what becomes of what an earlier version stored."""

from sqlalchemy import Engine
from streaming import rewrites_in, store_log

from rewriting.chains.step import session_steps
from rewriting.guards.settings import GuardSettings, SensitiveSettings
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.session import sessionize
from streams.turn import AssistantId, TurnEvent

ASSISTANT = AssistantId("planted-assistant")
SONG = PlantedPair(source="play sonk", target="play song", users=5)


def learn(engine: Engine, log: list[TurnEvent], settings: Settings) -> set[str]:
    """The sources of the rows that a learner makes of a log that is stored."""
    learner = ChainLearner(RewriteTable(engine, lambda: 1), settings, lambda: 1)
    with engine.begin() as connection:
        learner.absorb(connection, map(session_steps, sessionize(log)))
        learner.solve(connection)
    return {row.source_text for row in rewrites_in(engine)}


def rebuilt(engine: Engine, settings: Settings) -> None:
    """What a learner does that starts with these settings."""
    with engine.begin() as connection:
        ChainLearner(RewriteTable(engine, lambda: 1), settings, lambda: 1).refresh(connection, [ASSISTANT])


def test_the_guard_goes_by_the_settings(engine: Engine) -> None:
    log = planted_log([SONG])
    store_log(engine, log)
    assert learn(engine, log, Settings(guards=GuardSettings(min_users=50))) == set()
    forbidden = SensitiveSettings(words=("song",), forbidden=True)
    rebuilt(engine, Settings())
    assert {row.source_text for row in rewrites_in(engine)} == {"play sonk"}
    rebuilt(engine, Settings(sensitive=forbidden))
    assert {row.source_text for row in rewrites_in(engine)} == set()
