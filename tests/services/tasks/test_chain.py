from collections.abc import Sequence

import msgspec
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine
from streaming import everything, rewrites_in, store_log

from rewriting.table.publication import RewritePublication
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.processes.guard_gauges import GuardGauges
from services.processes.worker import WORKERS, worker_loop
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from services.tasks.chain import ChainTask
from streams.errors import CheckpointConflictError
from streams.kafka_settings import KafkaSettings
from streams.session import Session, sessionize
from streams.session_record import SessionRecord
from streams.stream_task import OffsetRange, Received
from streams.topic_names import Topics
from streams.turn import AssistantId, EventId, TurnEvent, UserId

ASSISTANT = AssistantId("planted-assistant")


@pytest.fixture
def log() -> list[TurnEvent]:
    return planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(3)]
    )


def new_task(engine: Engine) -> ChainTask:
    """A task as a worker has it that has just got its partitions."""
    table = RewriteTable(engine, now_ms)
    topics = Topics()
    task = ChainTask(
        engine,
        topics,
        ChainLearner(table, Settings(), now_ms),
        RewritePublication(engine, table, topics.rewrites, now_ms),
    )
    task.assigned([0])
    return task


def received(sessions: Sequence[Session]) -> list[Received[SessionRecord]]:
    return [
        Received(
            SessionRecord(
                session_id=session.session_id,
                assistant_id=session.assistant_id,
                user_id=session.user_id,
                turns=session.turns,
            ),
            0,
            offset,
            0,
        )
        for offset, session in enumerate(sessions)
    ]


def feed(task: ChainTask, sessions: Sequence[Session], expected: int | None, to: int) -> None:
    task.write(task.process(received(sessions)), {0: OffsetRange(expected, to)})


def idle(task: ChainTask) -> bool:
    """What the loop does when nothing comes; whether there was something to do."""
    work = task.idle(now_ms())
    if work is not None:
        task.write(work, {})
        list(task.outgoing())
        task.produced()
    return work is not None


def sources(engine: Engine) -> set[str]:
    return {row.source_text for row in rewrites_in(engine)}


ALL = {"play sonk 0", "play sonk 1", "play sonk 2"}


def test_sessions_become_rewrites_and_records(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = new_task(engine)
    feed(task, sessionize(log), None, 12)
    assert sources(engine) == ALL
    records = list(task.outgoing())
    assert len(records) == 3
    assert {record.topic for record in records} == {Topics().rewrites}
    task.produced()
    assert list(task.outgoing()) == []
    assert task.start_offsets([0, 1]) == {0: 12, 1: None}
    assert not idle(task)


def test_what_was_put_off_is_solved_when_nothing_comes(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = new_task(engine)
    sessions = sessionize(log)
    for number, session in enumerate(sessions):  # so fast that solving has to wait
        feed(task, [session], number or None, number + 1)
    while idle(task):
        pass
    assert sources(engine) == ALL


def test_what_a_dead_worker_put_off_is_solved_by_the_next(
    engine: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_log(engine, log)
    dead = new_task(engine)
    with monkeypatch.context() as patch:
        patch.setattr(ChainLearner, "solve", lambda *_, **__: None)
        feed(dead, sessionize(log), None, 12)
    assert sources(engine) == set()
    task = new_task(engine)
    assert idle(task)
    assert sources(engine) == ALL
    assert not idle(task)


def test_what_a_living_worker_has_put_off_is_left_to_it(
    engine: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    store_log(engine, log)
    bystander = new_task(engine)
    feed(bystander, [], None, 1)  # has looked for what the dead left, and found nothing
    owner = new_task(engine)
    with monkeypatch.context() as patch:
        patch.setattr(ChainLearner, "solve", lambda *_, **__: None)
        feed(owner, sessionize(log), 1, 12)
    assert not idle(bystander)
    assert idle(owner)
    assert sources(engine) == ALL


def test_old_records_do_not_bring_back_what_was_revised(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, [turn for turn in log if "sonk" in turn.request.text])
    old = sessionize(turn for turn in log if "sonk" in turn.request.text)
    store_log(engine, log)
    task = new_task(engine)
    feed(task, sessionize(log), None, 12)
    feed(task, old, 12, 24)
    while idle(task):
        pass
    assert sources(engine) == ALL


def test_old_records_do_not_bring_back_a_forgotten_user(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = new_task(engine)
    feed(task, sessionize(log), None, 12)
    forget_user(engine, now_ms, ASSISTANT, UserId("u00001"))
    assert idle(task)
    feed(task, sessionize(log), 12, 24)
    feed(new_task(engine), sessionize(log), 24, 36)
    assert "u00001" not in everything(engine)
    assert "u00002" in everything(engine)


def test_a_conflict_changes_nothing_and_the_worker_goes_on(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    task = new_task(engine)
    sessions = sessionize(log)
    feed(task, sessions[:6], None, 6)
    with pytest.raises(CheckpointConflictError):
        feed(task, sessions[6:], 5, 12)
    feed(task, sessions[6:], 6, 12)
    while idle(task):
        pass
    assert sources(engine) == ALL


def test_it_is_counted_what_the_guards_hold_back(engine: Engine, log: list[TurnEvent]) -> None:
    opposite = PlantedPair(source="lock the car", target="unlock the car", users=4)
    log = log + planted_log([opposite], start_ms=1_746_121_600_000)
    log = [msgspec.structs.replace(turn, event_id=EventId(f"e-{i}")) for i, turn in enumerate(log)]
    store_log(engine, log)
    task = new_task(engine)
    registry = CollectorRegistry()
    registry.register(GuardGauges(task))

    def count(reason: str) -> float | None:
        labels = {"assistant": ASSISTANT, "reason": reason}
        return registry.get_sample_value("rehear_refused_pairs", labels)

    assert count("opposite") is None
    feed(task, sessionize(log), None, len(log))
    while idle(task):
        pass
    assert (count("opposite"), count("number")) == (1, 0)
    assert sources(engine) == ALL
    task.revoked([0])
    assert count("opposite") is None  # it is another worker's now


def test_the_chains_worker_tells_what_its_guards_hold_back(engine: Engine) -> None:
    for name in ("chains", "sessions"):
        registry = CollectorRegistry()
        worker_loop(WORKERS[name], engine, KafkaSettings(), Settings(), registry)
        told = {metric.name for metric in registry.collect()}
        assert ("rehear_refused_pairs" in told) == (name == "chains")
