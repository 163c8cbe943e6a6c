"""What holds for every kind of session model, also for one that a test adds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jobs import work_on
from letter_detector import letter_log
from letter_model import REFUSED
from letter_models import CASES, ModelCase
from sqlalchemy import Engine
from streaming import everything, feed, record_of, records_of, store_log

from labeling.errors import ArtifactError
from services.platform.clock import now_ms
from services.privacy import forgetting
from services.privacy.user_data import USER_DATA, UserData
from services.session_models.answers import judged_turns, session_answers, stored_verdicts
from services.session_models.backfill import backfill
from services.session_models.training import learn
from services.settings import Settings
from services.tasks import session_model
from services.tasks.session_model import SessionModelTask
from streams.errors import CheckpointConflictError, RecordsRefusedError
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.stores.session_store import restate_sessions
from streams.stream_task import OffsetRange, Received
from streams.topic_names import Topics
from streams.turn import AssistantId, Signals, TurnEvent, UserId

LETTERS = AssistantId("letters")

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.name)


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")  # twelve sessions of two turns


@pytest.fixture
def database(engine: Engine, case: ModelCase, log: list[TurnEvent]) -> Engine:
    """With the log, and the model in use."""
    case.prepare(engine)
    store_log(engine, log)
    case.use(engine, LETTERS)
    return engine


@pytest.fixture(autouse=True)
def _is_user_data(case: ModelCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind of the test is forgotten like those of the registry."""
    known = {table for data in USER_DATA for table in data.tables}
    if not known.issuperset(case.kind.tables):
        added = (*USER_DATA, UserData(case.kind.tables, case.kind.forget))
        monkeypatch.setattr(forgetting, "USER_DATA", added)


def announced(task: SessionModelTask[Any, Any]) -> dict[str, bytes | None]:
    """What the task announces, and the broker then has, by topic and key."""
    records = list(task.outgoing())
    task.produced()
    return {
        f"{x.topic} {(x.key or b'').decode()} {i if x.topic == Topics().sessions else ''}": x.value
        for i, x in enumerate(records)
    }


def all_announced(task: SessionModelTask[Any, Any]) -> dict[str, bytes | None]:
    """The same, until nothing is left."""
    found = announced(task)
    while (work := task.idle(now_ms())) is not None:
        task.write(work, {})
        found |= announced(task)
    return found


def with_refusal(log: Sequence[TurnEvent]) -> list[TurnEvent]:
    """One session cannot be judged."""
    first = next(turn for turn in log if turn.request.text == "aquiet please")
    said = msgspec.structs.replace(first.request, text=REFUSED, asr=())
    return [msgspec.structs.replace(turn, request=said) if turn is first else turn for turn in log]


def test_a_batch_says_what_each_session_alone_does(case: ModelCase, log: list[TurnEvent]) -> None:
    sessions = sessionize(log)
    judged = case.kind.judge(case.new(), sessions)
    assert list(judged) == [case.kind.judge(case.new(), [session])[0] for session in sessions]
    assert list(case.kind.judge(case.new(), [])) == []


def test_long_sessions_and_other_scripts_are_kept_as_judged(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    texts = ["включи свет", "调低音量", "शुभ रात्रि", "\U0001f3b5 \x00 play", " ", *["again"] * 95]
    first = log[0]
    long = [
        msgspec.structs.replace(
            first,
            event_id=f"long-{i}",
            user_id="talker",
            ts_ms=10**12 + i * 1_000,
            request=msgspec.structs.replace(first.request, text=text, asr=()),
        )
        for i, text in enumerate(texts)
    ]
    store_log(database, long)
    feed(case.task(database), records_of(long))
    (session,) = sessionize(long)
    with reading(database) as connection:
        assert case.kind.known(connection, [session.session_id]) == {
            session.session_id: (case.model, session.turns_key)
        }


def test_a_replay_judges_nothing_again_and_changes_nothing(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    model = case.new()
    task = case.task(database, model)
    place = feed(task, records_of(log))
    assert announced(task)
    kept, before = case.kept(database), everything(database).replace(f"\n{place}\n", "\n")
    place = feed(task, records_of(log), place)
    assert announced(task) == {}
    assert task.idle(now_ms()) is None
    assert model.judged == 12
    assert case.kept(database) == kept
    assert everything(database).replace(f"\n{place}\n", "\n") == before


def test_a_session_that_says_something_else_is_judged_again_and_no_other(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    model = case.new()
    task = case.task(database, model)
    place = feed(task, records_of(log))
    kept = case.kept(database)
    with database.begin() as connection:
        case.kind.outdate(connection, [sessionize(log)[0].session_id])
    feed(task, records_of(log), place)
    assert model.judged == 13
    assert case.kept(database) == kept


def test_a_verdict_on_what_a_session_no_longer_says_is_not_kept(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    session = sessionize(log)[0]
    rejected = tuple(
        msgspec.structs.replace(turn, signals=Signals(feedback="negative")) for turn in session.turns
    )
    model = case.new()
    task = case.task(database, model)
    work = task.process([Received(record_of(session), 0, 0, 0)])
    with database.begin() as connection:
        restated = msgspec.structs.replace(session, turns=rejected)
        restate_sessions(connection, [restated], from_files=False)
    task.write(work, {0: OffsetRange(None, 1)})
    with reading(database) as connection:
        assert case.kind.known(connection, [session.session_id]) == {}
    feed(task, [record_of(session)], 1)
    assert model.judged == 2
    with reading(database) as connection:
        assert case.kind.known(connection, [session.session_id]) == {
            session.session_id: (case.model, session.turns_key)
        }


def test_what_a_dead_worker_has_not_announced_the_next_one_does(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    dead = case.task(database)
    feed(dead, records_of(log))
    half_way = iter(dead.outgoing())
    next(half_way)  # and it dies
    assert announced(case.task(database, partitions=[1])) == {}  # of others' partitions
    assert len(announced(case.task(database))) >= 12
    assert announced(case.task(database)) == {}


def test_many_changes_are_announced_a_part_at_a_time(
    case: ModelCase, database: Engine, log: list[TurnEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_model, "CHANGES_AT_A_TIME", 10)
    task = case.task(database)
    feed(task, records_of(log))
    n_turns = 0 if case.kind.turns is None else len(log)
    first, others = announced(task), all_announced(task)
    assert len([key for key in first if not key.startswith(Topics().sessions)]) == min(10, n_turns)
    assert len([key for key in {**first, **others} if not key.startswith(Topics().sessions)]) == n_turns


def test_without_a_model_sessions_are_passed_over_until_all_are_judged(
    case: ModelCase, engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    case.prepare(engine)
    store_log(engine, log)
    empty = case.kept(engine)
    task = case.task(engine)
    place = feed(task, records_of(log))
    assert case.kept(engine) == empty
    assert task.start_offsets([0]) == {0: place}
    assert task.idle(now_ms()) is None
    work = work_on(engine, LETTERS, Settings(state=str(tmp_path)))
    assert backfill(case.kind, work) is None
    case.use(engine, LETTERS)
    done = case.fill(engine, LETTERS)
    assert done is not None
    assert (done.judged, done.refused) == (12, 0)
    assert "12 sessions" in done.in_words
    by_job = case.kept(engine)
    assert by_job != empty
    all_announced(task)
    feed(task, records_of(log), place)
    assert case.kept(engine) == by_job
    assert all_announced(task) == {}


def test_a_backfill_keeps_what_the_task_does(case: ModelCase, database: Engine, log: list[TurnEvent]) -> None:
    feed(case.task(database), records_of(log))
    by_task = case.kept(database)
    again = case.fill(database, LETTERS)
    assert again is not None
    assert again.judged == 0
    assert case.kept(database) == by_task
    other = case.fill(database, LETTERS, "another")
    assert other is not None
    assert other.judged == 12
    assert case.kept(database) != by_task
    case.fill(database, LETTERS)
    assert case.kept(database) == by_task


def test_sessions_that_cannot_be_judged_are_refused_and_the_others_judged(
    case: ModelCase, engine: Engine, log: list[TurnEvent]
) -> None:
    log = with_refusal(log)
    case.prepare(engine)
    store_log(engine, log)
    case.use(engine, LETTERS)
    model = case.new()
    task = case.task(engine, model)
    sessions = sessionize(log)
    items = [Received(record, 0, i, 0) for i, record in enumerate(records_of(log))]
    (bad,) = [i for i, session in enumerate(sessions) if REFUSED in {x.request.text for x in session.turns}]
    with pytest.raises(RecordsRefusedError) as caught:
        task.process(items)
    assert caught.value.refusals.keys() == {(0, bad)}
    assert isinstance(caught.value.refusals[0, bad], case.kind.refusal)
    task.write(task.process([item for item in items if item.offset != bad]), {0: OffsetRange(None, 12)})
    assert model.judged == 11  # once each
    kept = case.kept(engine)
    done = case.fill(engine, LETTERS)
    assert done is not None
    assert (done.judged, done.refused) == (0, 1)
    assert ", 1 refused; " in done.in_words
    assert case.kept(engine) == kept


def test_a_verdict_goes_when_its_session_can_be_judged_no_more(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    case.fill(database, LETTERS)
    last = log[-1]
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    more = msgspec.structs.replace(last, event_id="more", request=said, ts_ms=last.ts_ms + 9_000)
    store_log(database, [more])
    done = case.fill(database, LETTERS)
    assert done is not None
    assert (done.judged, done.refused) == (0, 1)
    sessions = sessionize([*log, more])
    with reading(database) as connection:
        known = case.kind.known(connection, [session.session_id for session in sessions])
    assert len(known) == 11


def test_a_model_that_cannot_be_loaded_holds_up_nothing(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    def fail(folder: Path) -> Any:
        raise ArtifactError(f"nothing in {folder}")

    empty = case.kept(database)
    task = case.task(database, load=fail)
    feed(task, records_of(log))
    assert case.kept(database) == empty


def test_a_model_that_is_switched_while_the_task_runs_is_picked_up(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    loaded: list[str] = []

    def load(folder: Path) -> Any:
        loaded.append(folder.name)
        return case.new()

    task = case.task(database, load=load)
    place = feed(task, records_of(log)[:5])
    case.use(database, LETTERS, name="another")
    feed(task, records_of(log), place)
    assert loaded == [case.model, "another"]
    with reading(database) as connection:
        known = case.kind.known(connection, [session.session_id for session in sessionize(log)])
    assert {name for name, _ in known.values()} == {"another"}
    assert len(known) == 12


def test_a_session_that_has_grown_is_judged_as_it_is(
    case: ModelCase, engine: Engine, log: list[TurnEvent]
) -> None:
    case.prepare(engine)
    case.use(engine, LETTERS)
    first_tries = [turn for turn in log if "quiet" not in turn.request.text]
    store_log(engine, first_tries)
    task = case.task(engine)
    place = feed(task, records_of(first_tries))
    announced(task)
    store_log(engine, log)
    place = feed(task, records_of(log), place)
    assert announced(task)
    sessions = {session.session_id: session.turns_key for session in sessionize(log)}
    with reading(engine) as connection:
        known = case.kind.known(connection, sessions)
    assert {key: turns for key, (_, turns) in known.items()} == sessions
    before = case.kept(engine)
    feed(task, records_of(first_tries), place)  # old records
    assert case.kept(engine) == before
    assert announced(task) == {}


def test_a_conflict_changes_nothing_and_the_worker_goes_on(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    model = case.new()
    task = case.task(database, model)
    feed(task, records_of(log)[:6])
    before, kept = everything(database), case.kept(database)
    with pytest.raises(CheckpointConflictError):
        feed(task, records_of(log)[6:], 5)
    assert (everything(database), case.kept(database)) == (before, kept)
    feed(task, records_of(log)[6:], 6)
    assert model.judged == 12  # what was said was not lost with the transaction


def test_a_forgotten_user_is_in_no_table_and_does_not_come_back(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    task = case.task(database)
    place = feed(task, records_of(log))
    announced(task)
    forgotten = UserId("u00001")
    theirs = {turn.event_id for turn in log if turn.user_id == forgotten}
    assert theirs
    case.use(database, LETTERS, name="another")  # all is judged anew, and they are forgotten meanwhile
    items = [Received(record, 0, place + i, 0) for i, record in enumerate(records_of(log))]
    work = task.process(items)
    forgetting.forget_user(database, now_ms, LETTERS, forgotten)
    idle = task.idle(now_ms())
    assert idle is not None
    task.write(idle, {})
    withdrawn = {key for key, value in announced(task).items() if value is None}
    if case.kind.turns is not None:
        topic = case.kind.turns.topic(Topics())
        assert withdrawn == {f"{topic} letters/{event} " for event in theirs}  # tombstones
    task.write(work, {0: OffsetRange(place, place + len(items))})
    place += len(items)
    all_announced(task)
    feed(case.task(database), records_of(log), place)
    left = everything(database) + repr(case.kept(database))
    assert forgotten not in left
    assert not [event for event in theirs if event in left]


def test_what_was_made_from_files_alone_waits_for_nobody(
    case: ModelCase, database: Engine, log: list[TurnEvent]
) -> None:
    case.fill(database, LETTERS)
    task = case.task(database)
    assert task.idle(now_ms()) is None
    assert announced(task) == {}  # nothing was ever streamed: a user who is forgotten now leaves no trace
    forgetting.forget_user(database, now_ms, LETTERS, UserId("u00001"))
    assert "u00001" not in everything(database) + repr(case.kept(database))


def test_stored_answers_are_those_of_the_log(case: ModelCase, database: Engine, log: list[TurnEvent]) -> None:
    if case.kind.turns is None:
        verdicts = case.kind.judge(case.new(), sessionize(log))
        assert len(verdicts) == 12
        return
    told: list[int] = []
    answers = list(
        session_answers(
            case.kind, [*log, *log], sessionize(log), lambda key: case.new(), judged_turns, told.append
        )
    )
    assert [one.turn for one in answers] == log  # in its order, each once
    assert told == [12]
    case.fill(database, LETTERS)
    with reading(database) as connection:
        stored = list(stored_verdicts(connection, LETTERS, case.kind.turns))
    assert sorted(stored, key=repr) == sorted(answers, key=repr)
    names = {field.name for field in case.kind.turns.columns.fields()}
    assert {name for one in stored for name in case.kind.turns.columns.values(one.verdict)} >= names


def test_where_nothing_can_be_learned_the_model_in_use_stays(
    case: ModelCase, engine: Engine, tmp_path: Path
) -> None:
    case.prepare(engine)
    work = work_on(engine, LETTERS, Settings(state=str(tmp_path)))
    learned = learn(case.kind, work)
    assert learned.trained is None
    assert learned.backfill is None
    assert learned.in_words == f"no new {case.kind.title}: {learned.why_not}"
    assert learned.why_not
