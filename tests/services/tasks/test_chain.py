import msgspec
import pytest
from guarded_world import ASSISTANT as GUARDED
from guarded_world import made, served
from learning_tasks import chain_task, rest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from streaming import feed, records_of, rewrites_in, store_log

from services.learners.chains import ChainLearner
from services.processes.guard_gauges import GuardGauges
from services.processes.worker import WORKERS, worker_loop
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.kafka_settings import KafkaSettings
from streams.topic_names import Topics
from streams.turn import AssistantId, EventId, TurnEvent

ASSISTANT = AssistantId("planted-assistant")


@pytest.fixture
def log() -> list[TurnEvent]:
    return planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(3)]
    )


def sources(engine: Engine) -> set[str]:
    return {row.source_text for row in rewrites_in(engine)}


ALL = {"play sonk 0", "play sonk 1", "play sonk 2"}


def test_sessions_become_rewrites_and_records(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = chain_task(engine)
    feed(task, records_of(log))
    assert sources(engine) == ALL
    records = list(task.outgoing())
    assert len(records) == 3
    assert {record.topic for record in records} == {Topics().rewrites}
    task.produced()
    assert list(task.outgoing()) == []
    assert task.start_offsets([0, 1]) == {0: 12, 1: None}
    assert not rest(task)


def test_what_was_put_off_is_solved_when_nothing_comes(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = chain_task(engine)
    place = None
    for record in records_of(log):  # so fast that solving has to wait
        place = feed(task, [record], place)
    assert rest(task)
    assert sources(engine) == ALL


def test_what_a_dead_worker_put_off_is_solved_by_the_next(
    engine: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_log(engine, log)
    dead = chain_task(engine)
    with monkeypatch.context() as patch:
        patch.setattr(ChainLearner, "solve", lambda *_, **__: None)
        feed(dead, records_of(log))
    assert sources(engine) == set()
    task = chain_task(engine)
    assert rest(task) == 1
    assert sources(engine) == ALL


def test_what_a_living_worker_has_put_off_is_left_to_it(
    engine: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_log(engine, log)
    bystander = chain_task(engine)
    feed(bystander, [])  # has looked for what the dead left, and found nothing
    owner = chain_task(engine)
    with monkeypatch.context() as patch:
        patch.setattr(ChainLearner, "solve", lambda *_, **__: None)
        feed(owner, records_of(log), 0)
    assert not rest(bystander)
    assert rest(owner) == 1
    assert sources(engine) == ALL


def test_it_is_counted_what_the_guards_hold_back(engine: Engine, log: list[TurnEvent]) -> None:
    opposite = PlantedPair(source="lock the car", target="unlock the car", users=4)
    log = log + planted_log([opposite], start_ms=1_746_121_600_000)
    log = [msgspec.structs.replace(turn, event_id=EventId(f"e-{i}")) for i, turn in enumerate(log)]
    store_log(engine, log)
    task = chain_task(engine)
    registry = CollectorRegistry()
    registry.register(GuardGauges(task))

    def count(reason: str) -> float | None:
        labels = {"assistant": ASSISTANT, "reason": reason}
        return registry.get_sample_value("rehear_refused_pairs", labels)

    assert count("opposite") is None
    feed(task, records_of(log))
    rest(task)
    assert (count("opposite"), count("number")) == (1, 0)
    assert sources(engine) == ALL
    task.revoked([0])
    assert count("opposite") is None  # it is another worker's now


def test_rows_are_counted_by_how_they_fare(engine: Engine) -> None:
    sessions = [*made(), *served(7), *served(8)]
    turns = [turn for session in sessions for turn in session.turns]
    store_log(engine, turns)
    task = chain_task(engine)
    registry = CollectorRegistry()
    registry.register(GuardGauges(task))

    def count(state: str, reason: str) -> float | None:
        labels = {"assistant": GUARDED, "state": state, "reason": reason}
        return registry.get_sample_value("rehear_guarded_rows", labels)

    assert count("live", "proven") is None
    feed(task, records_of(turns))
    rest(task)
    assert (count("live", "proven"), count("blocked", "target_ceased")) == (1, 0)
    task.revoked([0])
    assert count("live", "proven") is None  # it is another worker's now


def test_the_chains_worker_tells_what_its_guards_hold_back(engine: Engine) -> None:
    for name in ("chains", "sessions"):
        registry = CollectorRegistry()
        worker_loop(WORKERS[name], engine, KafkaSettings(), Settings(), registry)
        told = {metric.name for metric in registry.collect()}
        assert ("rehear_refused_pairs" in told) == (name == "chains")
        assert ("rehear_guarded_rows" in told) == (name == "chains")
