import pytest
from sqlalchemy import Engine

from streams.errors import CheckpointConflictError
from streams.stores.checkpoint import latest_events, save_offsets, saved_offsets
from streams.stores.database_schema import reading
from streams.stream_task import OffsetRange

TASK, TOPIC = "sessions", "rehear.turns"


def save(
    engine: Engine, offsets: dict[int, tuple[int | None, int]], events: dict[int, int] | None = None
) -> None:
    with engine.begin() as connection:
        ranges = {partition: OffsetRange(*pair) for partition, pair in offsets.items()}
        save_offsets(connection, TASK, TOPIC, ranges, events)


def saved(engine: Engine, task: str = TASK, topic: str = TOPIC) -> dict[int, int]:
    with reading(engine) as connection:
        return saved_offsets(connection, task, topic)


def test_offsets_are_kept_by_partition_task_and_topic(engine: Engine) -> None:
    assert saved(engine) == {}
    save(engine, {0: (None, 5), 3: (None, 2**40)})
    save(engine, {0: (5, 9)})
    assert saved(engine) == {0: 9, 3: 2**40}
    assert saved(engine, task="chains") == {}
    assert saved(engine, topic="other") == {}


@pytest.mark.parametrize("expected", [None, 4, 6])
def test_an_offset_that_another_worker_has_moved_is_refused(engine: Engine, expected: int | None) -> None:
    save(engine, {0: (None, 5)})
    with pytest.raises(CheckpointConflictError, match=r"rehear\.turns\[0\]"):
        save(engine, {0: (expected, 7)})
    assert saved(engine) == {0: 5}


def test_a_partition_that_nobody_has_saved_cannot_be_gone_on_with(engine: Engine) -> None:
    with pytest.raises(CheckpointConflictError):
        save(engine, {0: (3, 7)})
    assert saved(engine) == {}


def test_one_conflict_keeps_all_from_being_saved(engine: Engine) -> None:
    save(engine, {1: (None, 5)})
    with pytest.raises(CheckpointConflictError):
        save(engine, {0: (None, 1), 1: (4, 6), 2: (None, 1)})
    assert saved(engine) == {1: 5}


def test_a_log_that_was_made_anew_may_start_again(engine: Engine) -> None:
    save(engine, {0: (None, 5)})
    save(engine, {0: (5, 2)})
    assert saved(engine) == {0: 2}


def test_the_latest_event_never_goes_back(engine: Engine) -> None:
    save(engine, {0: (None, 1), 1: (None, 1)}, {0: 100})
    save(engine, {0: (1, 2)}, {0: 50})
    save(engine, {1: (1, 2)})
    with reading(engine) as connection:
        assert latest_events(connection, TASK, TOPIC) == {0: 100, 1: 0}
