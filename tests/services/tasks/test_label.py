"""What becomes of sessions in the label task: labels in the table, and records on the topic."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from letter_detector import letter_log
from letter_labels import NAME, LetterLabels
from sqlalchemy import Engine, select
from streaming import feed, record_of, store_log

from labeling.labels.store import LABELS, LabelRecord
from labeling.labels.turn_label import LabelGenerator
from labeling.models.in_use import set_models
from services.platform.clock import now_ms
from services.session_models.in_use import CurrentModels
from services.session_models.labels.kind import KIND
from services.settings import Settings
from services.tasks.session_model import SessionModelTask
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.stream_task import OutgoingRecord
from streams.topic_names import Topics
from streams.turn import AssistantId, TurnEvent

LETTERS = AssistantId("letters")


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")  # twelve sessions of two turns


def use_model(engine: Engine, name: str = NAME) -> None:
    with engine.begin() as connection:
        set_models(connection, LETTERS, {"labels": name}, now_ms())


def new_task(
    engine: Engine, generator: LabelGenerator | None = None, partitions: Sequence[int] = (0,)
) -> SessionModelTask[Any, Any]:
    """A task as a worker has it that has just got its partitions."""
    generators = CurrentModels(engine, Path("state"), KIND, lambda folder: generator or LetterLabels())
    effect = KIND.effect(engine, Settings(), now_ms)
    task = SessionModelTask(engine, Topics(), KIND, generators, effect)
    task.assigned(partitions)
    return task


def announced(task: SessionModelTask[Any, Any]) -> dict[str, LabelRecord | None]:
    """What the task announces, and the broker then has, by key."""
    records = list(task.outgoing())
    task.produced()
    assert {record.topic for record in records} <= {Topics().labels}
    return decoded(records)


def decoded(records: Sequence[OutgoingRecord]) -> dict[str, LabelRecord | None]:
    return {
        (record.key or b"").decode(): None
        if record.value is None
        else msgspec.json.decode(record.value, type=LabelRecord)
        for record in records
    }


def labels(engine: Engine) -> list[tuple[Any, ...]]:
    """The table without when it was written."""
    columns = [column for column in LABELS.columns if column.name != "labelled_ms"]
    with reading(engine) as connection:
        return sorted(tuple(row) for row in connection.execute(select(*columns)))


def test_labels_of_sessions_are_stored_and_announced(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_model(engine)
    task = new_task(engine)
    feed(task, [record_of(session) for session in sessionize(log)])
    told = announced(task)
    assert len(labels(engine)) == len(log) == 24
    assert told.keys() == {f"letters/{turn.event_id}" for turn in log}
    session = next(s for s in sessionize(log) if s.turns[0].request.text == "ahush")
    first, second = (told[f"letters/{turn.event_id}"] for turn in session.turns)
    assert first is not None
    assert second is not None
    assert (first.goal_start, second.goal_start, second.goal_id) == (True, False, first.event_id)
    assert (first.defect, second.defect) == (0.3333, 0.0)
    assert (first.session_id, first.user_id, first.model) == (session.session_id, session.user_id, NAME)
    assert first.abstained == ("intent",)
    assert announced(task) == {}
    assert task.idle(now_ms()) is None


def test_a_session_that_has_grown_is_labelled_as_it_is(engine: Engine, log: list[TurnEvent]) -> None:
    first_tries = [turn for turn in log if "quiet" not in turn.request.text]
    store_log(engine, first_tries)
    use_model(engine)
    old = [record_of(session) for session in sessionize(first_tries)]
    task = new_task(engine)
    place = feed(task, old)
    assert {record and record.defect for record in announced(task).values()} == {0.0}
    store_log(engine, log)
    place = feed(task, [record_of(session) for session in sessionize(log)], place)
    told = announced(task)
    assert len(told) == 16  # both turns of the eight sessions that grew: what was the last goes on now
    assert len(labels(engine)) == 24
    before = labels(engine)
    feed(task, old, place)  # old records
    assert labels(engine) == before
    assert announced(task) == {}


def test_sessions_that_join_leave_one_goal_and_no_label_behind(engine: Engine, log: list[TurnEvent]) -> None:
    first = log[0]

    def said(event_id: str, after_ms: int) -> TurnEvent:
        return msgspec.structs.replace(first, event_id=event_id, ts_ms=first.ts_ms + after_ms)

    apart, between = [said("x", 0), said("z", 60_000)], said("y", 30_000)
    store_log(engine, apart)
    use_model(engine)
    task = new_task(engine)
    old = [record_of(session) for session in sessionize(apart)]
    place = feed(task, old)
    assert {key: record and record.goal_id for key, record in announced(task).items()} == {
        "letters/x": "x",
        "letters/z": "z",
    }
    store_log(engine, [between])
    joined = record_of(*sessionize([*apart, between]))
    withdrawn = [
        msgspec.structs.replace(record, turns=()) for record in old if record.session_id != joined.session_id
    ]
    place = feed(task, [*withdrawn, joined], place)
    assert {key: record and record.goal_id for key, record in announced(task).items()} == dict.fromkeys(
        ["letters/x", "letters/y", "letters/z"], "x"
    )
    assert [row[1] for row in labels(engine)] == ["x", "y", "z"]
