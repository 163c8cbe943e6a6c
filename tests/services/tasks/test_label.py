"""What becomes of sessions in the label task: labels in the table, and records on the topic."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from letter_detector import letter_log
from letter_labels import NAME, REFUSED, LetterLabels
from sqlalchemy import Engine, select
from streaming import everything, feed, record_of, row_count, store_log

from labeling.errors import ArtifactError
from labeling.labels.store import LABEL_CHANGE, LABELS, LabelRecord
from labeling.labels.turn_label import LabelGenerator
from labeling.models.in_use import set_models
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.session_models.in_use import CurrentModels
from services.session_models.labels.backfill import label_all
from services.session_models.labels.kind import KIND
from services.settings import Settings
from services.tasks import judging as judging_task
from services.tasks.label import LabelTask
from streams.errors import CheckpointConflictError, RecordsRefusedError
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics
from streams.turn import AssistantId, TurnEvent, UserId

LETTERS = AssistantId("letters")


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")  # twelve sessions of two turns


def use_model(engine: Engine, name: str = NAME) -> None:
    with engine.begin() as connection:
        set_models(connection, LETTERS, {"labels": name}, now_ms())


def new_task(
    engine: Engine, generator: LabelGenerator | None = None, partitions: Sequence[int] = (0,)
) -> LabelTask:
    """A task as a worker has it that has just got its partitions."""
    generators = CurrentModels(engine, Path("state"), KIND, lambda folder: generator or LetterLabels())
    task = LabelTask(engine, Topics(), generators, now_ms)
    task.assigned(partitions)
    return task


def announced(task: LabelTask) -> dict[str, LabelRecord | None]:
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


def all_announced(task: LabelTask) -> dict[str, LabelRecord | None]:
    """The same, until nothing is left."""
    found = announced(task)
    while (work := task.idle(now_ms())) is not None:
        task.write(work, {})
        found |= announced(task)
    return found


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


def test_a_replay_labels_nothing_again_and_changes_nothing(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_model(engine)
    generator = LetterLabels()
    task = new_task(engine, generator)
    records = [record_of(session) for session in sessionize(log)]
    place = feed(task, records)
    announced(task)
    before = everything(engine).replace(f"\n{place}\n", "\n")
    place = feed(task, records, place)
    assert announced(task) == {}
    assert generator.labelled == 12
    assert everything(engine).replace(f"\n{place}\n", "\n") == before


def test_what_a_dead_worker_has_not_announced_the_next_one_does(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_model(engine)
    dead = new_task(engine)
    feed(dead, [record_of(session) for session in sessionize(log)])
    half_way = iter(dead.outgoing())
    next(half_way)  # and it dies
    assert announced(new_task(engine, partitions=[1])) == {}  # one alone announces
    assert len(announced(new_task(engine))) == 24
    assert announced(new_task(engine)) == {}


def test_many_changes_are_announced_a_part_at_a_time(
    engine: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judging_task, "CHANGES_AT_A_TIME", 10)
    store_log(engine, log)
    use_model(engine)
    task = new_task(engine)
    feed(task, [record_of(session) for session in sessionize(log)])
    assert len(announced(task)) == 10
    assert len(all_announced(task)) == 14


def test_without_a_model_sessions_are_passed_over_until_all_are_labelled(
    engine: Engine, log: list[TurnEvent]
) -> None:
    store_log(engine, log)
    task = new_task(engine)
    place = feed(task, [record_of(session) for session in sessionize(log)])
    assert labels(engine) == []
    assert task.start_offsets([0]) == {0: place}
    assert task.idle(now_ms()) is None
    assert label_all(engine, Settings(state="state"), LETTERS, now_ms) is None
    use_model(engine)
    done = label_all(engine, Settings(state="state"), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    assert done is not None
    assert (done.labelled, done.refused, done.sessions, done.turns) == (12, 0, 12, 24)
    by_job = labels(engine)
    assert len(all_announced(task)) == 24
    feed(task, [record_of(session) for session in sessionize(log)], place)
    assert labels(engine) == by_job
    assert all_announced(task) == {}


def test_the_job_stores_what_the_task_does(engine: Engine, log: list[TurnEvent], tmp_path: Path) -> None:
    store_log(engine, log)
    use_model(engine)
    feed(new_task(engine), [record_of(session) for session in sessionize(log)])
    by_task = labels(engine)
    again = label_all(engine, Settings(), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    assert again is not None
    assert again.labelled == 0
    other = label_all(engine, Settings(), LETTERS, now_ms, generator=("another", LetterLabels()))
    assert other is not None
    assert (other.labelled, other.turns) == (12, 24)
    assert labels(engine) != by_task
    label_all(engine, Settings(), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    assert labels(engine) == by_task


def test_the_job_says_how_many_sessions_it_cannot_label_and_drops_what_was_said_of_them(
    engine: Engine, log: list[TurnEvent]
) -> None:
    store_log(engine, log)
    use_model(engine)
    label_all(engine, Settings(), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    last = log[-1]
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    more = msgspec.structs.replace(last, event_id="more", request=said, ts_ms=last.ts_ms + 9_000)
    store_log(engine, [more])
    done = label_all(engine, Settings(), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    assert done is not None
    assert (done.labelled, done.refused, done.sessions) == (0, 1, 11)
    assert "1 refused" in done.in_words


def test_labels_made_from_files_alone_wait_for_nobody(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_model(engine)
    label_all(engine, Settings(), LETTERS, now_ms, generator=(NAME, LetterLabels()))
    task = new_task(engine)
    assert task.idle(now_ms()) is None
    assert announced(task) == {}  # nothing was ever streamed: a user who is forgotten now leaves no trace
    forget_user(engine, now_ms, LETTERS, UserId("u00001"))
    assert "u00001" not in everything(engine)
    with reading(engine) as connection:
        noted = set(connection.scalars(select(LABEL_CHANGE.c.event_id)))
    assert noted.isdisjoint(turn.event_id for turn in log if turn.user_id == "u00001")
    feed(task, [record_of(session) for session in sessionize(log)])
    assert len(all_announced(task)) == len([turn for turn in log if turn.user_id != "u00001"])


def test_a_model_that_cannot_be_loaded_holds_up_nothing(engine: Engine, log: list[TurnEvent]) -> None:
    def fail(folder: Path) -> LabelGenerator:
        raise ArtifactError(f"nothing in {folder}")

    store_log(engine, log)
    use_model(engine)
    task = LabelTask(engine, Topics(), CurrentModels(engine, Path("state"), KIND, fail), now_ms)
    task.assigned([0])
    feed(task, [record_of(session) for session in sessionize(log)])
    assert labels(engine) == []


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


def test_a_forgotten_user_is_withdrawn_from_the_topic_and_does_not_come_back(
    engine: Engine, log: list[TurnEvent]
) -> None:
    store_log(engine, log)
    use_model(engine)
    task = new_task(engine)
    records = [record_of(session) for session in sessionize(log)]
    place = feed(task, records)
    announced(task)
    forgotten = UserId("u00001")
    keys = {f"letters/{turn.event_id}" for turn in log if turn.user_id == forgotten}
    assert keys
    use_model(engine, "another")  # all is labelled anew, and they are forgotten meanwhile
    work = task.process([Received(record, 0, place + i, 0) for i, record in enumerate(records)])
    forget_user(engine, now_ms, LETTERS, forgotten)
    idle = task.idle(now_ms())
    assert idle is not None
    task.write(idle, {})
    assert announced(task) == dict.fromkeys(keys)  # tombstones
    task.write(work, {0: OffsetRange(place, place + len(records))})
    place += len(records)
    assert announced(task).keys().isdisjoint(keys)
    feed(new_task(engine), records, place)
    assert forgotten not in everything(engine)
    assert row_count(engine, LABEL_CHANGE) == 0
    assert row_count(engine, LABELS) == len(log) - len(keys)


def test_sessions_that_cannot_be_labelled_are_refused_and_the_others_labelled(
    engine: Engine, log: list[TurnEvent]
) -> None:
    refused = [
        msgspec.structs.replace(turn, request=msgspec.structs.replace(turn.request, text=REFUSED, asr=()))
        if turn.user_id == "u00001" and turn.request.text == "aquiet please"
        else turn
        for turn in log
    ]
    store_log(engine, refused)
    use_model(engine)
    generator = LetterLabels()
    task = new_task(engine, generator)
    sessions = sessionize(refused)
    items = [Received(record_of(session), 0, i, 0) for i, session in enumerate(sessions)]
    (bad,) = [i for i, session in enumerate(sessions) if session.turns[-1].request.text == REFUSED]
    with pytest.raises(RecordsRefusedError) as caught:
        task.process(items)
    assert caught.value.refusals.keys() == {(0, bad)}
    assert "cannot be labelled" in str(caught.value.refusals[0, bad])
    task.write(task.process([item for item in items if item.offset != bad]), {0: OffsetRange(None, 12)})
    assert generator.labelled == 11  # once each
    assert len(announced(task)) == 22


def test_a_conflict_changes_nothing_and_the_worker_goes_on(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_model(engine)
    generator = LetterLabels()
    task = new_task(engine, generator)
    records = [record_of(session) for session in sessionize(log)]
    feed(task, records[:6])
    before = everything(engine)
    with pytest.raises(CheckpointConflictError):
        feed(task, records[6:], 5)
    assert everything(engine) == before
    feed(task, records[6:], 6)
    assert generator.labelled == 12  # what was said was not lost with the transaction
    assert len(announced(task)) == 24
