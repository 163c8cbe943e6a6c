"""What becomes of sessions in the label task: labels in the table, and records on the topic."""

import msgspec
import pytest
from letter_detector import letter_log
from letter_labels import NAME
from letter_models import CASE_OF
from sqlalchemy import Engine
from streaming import feed, record_of, records_of, row_count, store_log

from labeling.labels.store import LABELS
from services.platform.clock import now_ms
from streams.session import sessionize
from streams.turn import AssistantId, TurnEvent

LETTERS = AssistantId("letters")
CASE = CASE_OF["labels"]


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")  # twelve sessions of two turns


def test_labels_of_sessions_are_stored_and_announced(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine)
    feed(task, records_of(log))
    told = CASE.told(task)
    assert len(told) == row_count(engine, LABELS) == 24
    assert told.keys() == {f"letters/{turn.event_id}" for turn in log}
    session = next(s for s in sessionize(log) if s.turns[0].request.text == "ahush")
    first, second = (told[f"letters/{turn.event_id}"] for turn in session.turns)
    assert (first["goal_start"], second["goal_start"]) == (True, False)
    assert second["goal_id"] == first["event_id"]
    assert (first["defect"], second["defect"]) == (0.3333, 0.0)
    assert [first[name] for name in ("session_id", "user_id", "model", "abstained")] == [
        session.session_id, session.user_id, NAME, ["intent"],
    ]  # fmt: skip
    assert CASE.told(task) == {}
    assert task.idle(now_ms()) is None


def test_sessions_that_join_leave_one_goal_and_no_label_behind(engine: Engine, log: list[TurnEvent]) -> None:
    first = log[0]

    def said(event_id: str, after_ms: int) -> TurnEvent:
        return msgspec.structs.replace(first, event_id=event_id, ts_ms=first.ts_ms + after_ms)

    apart, between = [said("x", 0), said("z", 60_000)], said("y", 30_000)
    store_log(engine, apart)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine)
    old = records_of(apart)
    place = feed(task, old)
    assert {key: record["goal_id"] for key, record in CASE.told(task).items()} == {
        "letters/x": "x",
        "letters/z": "z",
    }
    store_log(engine, [between])
    joined = record_of(*sessionize([*apart, between]))
    withdrawn = [
        msgspec.structs.replace(record, turns=()) for record in old if record.session_id != joined.session_id
    ]
    place = feed(task, [*withdrawn, joined], place)
    assert {key: record["goal_id"] for key, record in CASE.told(task).items()} == dict.fromkeys(
        ["letters/x", "letters/y", "letters/z"], "x"
    )
    assert row_count(engine, LABELS) == 3
