from collections.abc import Sequence

import pytest
from sqlalchemy import Engine
from turns import turn_event

from services.tasks.session import CLOCK_SKEW_MS, SessionTask
from streams.errors import CheckpointConflictError
from streams.session_record import decode_session
from streams.stream_task import OffsetRange, Received
from streams.topic_names import Topics
from streams.turn import TurnEvent

NOW_MS = 1_736_121_600_000


def turn(event_id: str, ago_s: float, user_id: str = "u") -> TurnEvent:
    return turn_event(event_id=event_id, user_id=user_id, ts_ms=NOW_MS - int(ago_s * 1_000))


def new_task(engine: Engine, partitions: Sequence[int] = (0,)) -> SessionTask:
    task = SessionTask(engine, Topics(), lambda: NOW_MS)
    task.assigned(partitions)
    return task


def feed(task: SessionTask, turns: Sequence[TurnEvent], expected: int | None, partition: int = 0) -> int:
    """Feeds a batch; gives the saved offset."""
    first = expected or 0
    items = [Received(turn, partition, first + number, 0) for number, turn in enumerate(turns)]
    task.write(task.process(items), {partition: OffsetRange(expected, first + len(turns))})
    return first + len(turns)


def produced(task: SessionTask) -> list[list[str]]:
    sessions = [decode_session(record.value) for record in task.outgoing()]
    task.produced()
    return sorted([turn.event_id for turn in session.turns or ()] for session in sessions)


def test_a_session_is_produced_when_event_time_has_left_it_behind(engine: Engine) -> None:
    task = new_task(engine)
    at = feed(task, [turn("a", 200), turn("b", 170)], None)
    assert produced(task) == []
    at = feed(task, [turn("c", 170 - 45, "v")], at)
    assert produced(task) == []
    feed(task, [turn("d", 170 - 45.001, "w")], at)
    assert produced(task) == [["a", "b"]]
    assert produced(task) == []


def test_records_have_the_assistant_for_a_key(engine: Engine) -> None:
    task = new_task(engine)
    feed(task, [turn("a", 200), turn("b", 0, "v")], None)
    assert [(record.topic, record.key) for record in task.outgoing()] == [(Topics().sessions, b"a")]


def test_a_late_turn_produces_its_session_again(engine: Engine) -> None:
    task = new_task(engine)
    at = feed(task, [turn("a", 300), turn("c", 220), turn("z", 0, "v")], None)
    assert produced(task) == [["a"], ["c"]]
    feed(task, [turn("b", 260)], at)
    assert produced(task) == [[], ["a", "b", "c"]]


def test_a_clock_that_is_far_ahead_closes_nobody_elses_sessions(engine: Engine) -> None:
    task = new_task(engine)
    ahead_s = CLOCK_SKEW_MS / 1_000 + 10**6
    feed(task, [turn("a", -CLOCK_SKEW_MS / 1_000, "v"), turn("z", -ahead_s)], None)
    assert produced(task) == []


def test_the_time_of_a_partition_does_not_close_sessions_of_another(engine: Engine) -> None:
    task = new_task(engine, [0, 1])
    feed(task, [turn("a", 300)], None, partition=0)
    feed(task, [turn("b", 0, "v")], None, partition=1)
    assert produced(task) == []


def test_silence_closes_everything(engine: Engine) -> None:
    task = new_task(engine)
    feed(task, [turn("a", 0)], None)
    assert task.idle(NOW_MS) is None
    assert task.idle(NOW_MS + 44_999) is None
    work = task.idle(NOW_MS + 45_000)
    assert work is not None
    task.write(work, {0: OffsetRange(1, 1)})
    assert produced(task) == [["a"]]
    assert task.idle(NOW_MS + 10**9) is None


def test_a_worker_that_died_before_it_produced_leaves_that_to_the_next(engine: Engine) -> None:
    dead = new_task(engine)
    feed(dead, [turn("a", 200), turn("b", 0, "v")], None)
    list(dead.outgoing())
    task = new_task(engine)
    assert task.start_offsets([0]) == {0: 2}
    assert produced(task) == [["a"]]


def test_another_workers_partitions_are_left_alone(engine: Engine) -> None:
    feed(new_task(engine), [turn("a", 200), turn("b", 0, "v")], None)
    other = new_task(engine, [1])
    assert produced(other) == []
    assert other.idle(NOW_MS) is None
    assert other.idle(NOW_MS + 10**6) is None


def test_a_conflict_saves_nothing(engine: Engine) -> None:
    feed(new_task(engine), [turn("a", 200)], None)
    late = new_task(engine)
    with pytest.raises(CheckpointConflictError):
        feed(late, [turn("b", 190)], None)
    task = new_task(engine)
    feed(task, [turn("c", 0, "v")], 1)
    assert produced(task) == [["a"]]


def test_a_batch_without_any_turn_moves_the_offset(engine: Engine) -> None:
    task = new_task(engine)
    task.write(task.process([]), {0: OffsetRange(None, 7)})
    assert task.start_offsets([0]) == {0: 7}
