"""What holds for every kind of session model in a stream, whatever fails meanwhile.

What a stream makes is what jobs make of a file: in the kind's tables, and on its topic.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from letter_detector import letter_log
from letter_models import CASES, REFUSED, ModelCase
from sqlalchemy import Engine
from streaming import compacted, drain, requests, rewrites, send_turns, stream_settings
from worker_faults import run_and_kill, run_while_locked
from worker_pool import WorkerPool

from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.privacy import forgetting
from services.privacy.user_data import USER_DATA, UserData
from services.settings import Settings
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent, UserId, encode_turn

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
LEARNERS = "chains", "index"

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.name)


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    turns = [turn for key in ASSISTANTS for turn in letter_log("abcd", assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


def opened(location: str, case: ModelCase) -> Engine:
    engine = open_database(location)
    case.prepare(engine)
    case.use(engine, *ASSISTANTS)
    return engine


def learn_by_jobs(case: ModelCase, location: str, log: list[TurnEvent], folder: Path) -> None:
    file = folder / "turns.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, log)))
    engine = opened(location, case)
    learn_from_files(engine, Settings(**case.settings), [file], now_ms)
    for assistant_id in ASSISTANTS:
        case.fill(engine, assistant_id)
    engine.dispose()


@pytest.fixture
def expected(log: list[TurnEvent], case: ModelCase, tmp_path: Path) -> dict[str, Any]:
    """What jobs make of the log."""
    location = new_database(tmp_path / "expected" / "rehear.db")
    learn_by_jobs(case, location, log, tmp_path)
    found = known(case, location)
    assert all(found[table.name] for table in case.kind.tables)
    return found


def known(case: ModelCase, location: str) -> dict[str, Any]:
    """What the kind keeps, the rewrite tables, and what online rewriting knows."""
    engine = open_database(location)
    kept = case.kept(engine)
    engine.dispose()
    return {**kept, "rewrites": rewrites(location), **requests(location)}


@pytest.fixture
def settings(kafka: KafkaSettings, case: ModelCase, tmp_path: Path) -> Settings:
    return prepared(new_database(tmp_path / "rehear.db"), kafka, case)


def prepared(location: str, kafka: KafkaSettings, case: ModelCase) -> Settings:
    """Settings of workers on a database that names the models."""
    opened(location, case).dispose()
    return msgspec.structs.replace(stream_settings(location, kafka), **case.settings)


def published(case: ModelCase, settings: Settings) -> dict[str, Any]:
    """What the kind's topic holds, by key, after it is seen that it is what is stored."""
    if case.kind.turns is None:
        return {}
    assert settings.kafka is not None
    topic = compacted(settings.kafka, case.kind.turns.topic(settings.kafka.topics))
    store = case.kind.turns.store
    records = {key.decode(): msgspec.json.decode(value) for key, value in topic.items()}
    engine = open_database(settings.database_location)
    with reading(engine) as connection:
        ids = {record["session_id"] for record in records.values()}
        stored = [one for some in store.records(connection, ids).values() for one in some]
        assert not store.has_changes(connection)
    engine.dispose()
    as_json = {f"{one.assistant_id}/{one.event_id}": msgspec.json.encode(one) for one in stored}
    assert records == {key: msgspec.json.decode(value) for key, value in as_json.items()}
    return records


def test_a_stream_is_judged_as_a_file_is(
    case: ModelCase,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
) -> None:
    send_turns(kafka, log)
    drain(settings, "sessions", case.kind.name, *LEARNERS)
    assert known(case, settings.database_location) == expected
    assert len(published(case, settings)) == (0 if case.kind.turns is None else len(log))
    topics = [kafka.topics.sessions]
    if case.kind.turns is not None:
        topics.append(case.kind.turns.topic(kafka.topics))
    ends = [end_offsets(kafka, topic) for topic in topics]
    engine = open_database(settings.database_location)
    with reading(engine) as connection:
        assert saved_offsets(connection, case.kind.name, kafka.topics.sessions) != {}
    engine.dispose()
    drain(settings, "sessions", case.kind.name, *LEARNERS)
    assert [end_offsets(kafka, topic) for topic in topics] == ends  # nothing is said twice
    assert known(case, settings.database_location) == expected


def test_files_and_streams_can_be_mixed(
    case: ModelCase,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    tmp_path: Path,
) -> None:
    """First tries through Kafka and judged; then their second tries from a file."""
    send_turns(kafka, [turn for turn in log if "quiet" not in turn.request.text])
    drain(settings, "sessions", case.kind.name)
    learn_by_jobs(case, settings.database_location, log, tmp_path)
    drain(settings, case.kind.name, "sessions", *LEARNERS, case.kind.name)
    assert known(case, settings.database_location) == expected
    published(case, settings)


@pytest.mark.parametrize("step", list(Step))
def test_a_worker_killed_at_any_step(
    case: ModelCase,
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    send_turns(kafka, log)
    drain(settings, "sessions", *LEARNERS)
    run_and_kill(workers, case.kind.name, settings, step)
    drain(settings, *LEARNERS)
    assert known(case, settings.database_location) == expected
    published(case, settings)


def test_a_worker_killed_on_postgresql(
    case: ModelCase,
    log: list[TurnEvent],
    expected: dict[str, Any],
    kafka: KafkaSettings,
    postgres_url: str,
    workers: WorkerPool,
) -> None:
    settings = prepared(postgres_url, kafka, case)
    send_turns(kafka, log)
    drain(settings, "sessions", *LEARNERS)
    run_and_kill(workers, case.kind.name, settings, Step.PRODUCE)
    drain(settings, *LEARNERS)
    assert known(case, postgres_url) == expected
    published(case, settings)


def test_a_database_that_another_program_locks(
    case: ModelCase,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    send_turns(kafka, log)
    drain(settings, "sessions", *LEARNERS)
    model = case.new()
    run_while_locked(case.kind.name, settings, {case.kind.name: lambda folder: model})
    assert model.judged == 40  # nothing was judged twice
    drain(settings, *LEARNERS)
    assert known(case, settings.database_location) == expected
    published(case, settings)


def test_a_forgotten_user_is_gone_from_the_compacted_topic(
    case: ModelCase,
    log: list[TurnEvent],
    settings: Settings,
    kafka: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    added = UserData(case.kind.tables, case.kind.forget)
    monkeypatch.setattr(forgetting, "USER_DATA", (*USER_DATA, added))
    send_turns(kafka, log)
    drain(settings, "sessions", case.kind.name)
    before = published(case, settings)
    engine = open_database(settings.database_location)
    assert forgetting.forget_user(engine, now_ms, ASSISTANTS[0], UserId("u00001"))
    engine.dispose()
    drain(settings, case.kind.name)
    theirs = {
        f"{turn.assistant_id}/{turn.event_id}"
        for turn in log
        if (turn.assistant_id, turn.user_id) == (ASSISTANTS[0], "u00001")
    }
    assert theirs
    assert published(case, settings).keys() == before.keys() - theirs


def test_a_session_that_cannot_be_judged_is_a_dead_letter_and_the_stream_goes_on(
    case: ModelCase, log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    last = log[-1]
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    strange = [
        msgspec.structs.replace(
            last, event_id=f"strange-{i}", user_id="stranger", request=said, nlu=(), ts_ms=10**12 + i
        )
        for i in range(2)
    ]
    send_turns(kafka, [*strange, *log])
    drain(settings, "sessions", case.kind.name, *LEARNERS)
    (letter,) = read_dead_letters(kafka)
    assert (letter.error, letter.task, letter.source.topic) == (
        case.kind.refusal.__name__,
        case.kind.name,
        kafka.topics.sessions,
    )
    assert letter.value is not None
    assert REFUSED.encode() in letter.value
    found = known(case, settings.database_location)
    kept = [table.name for table in case.kind.tables]
    assert {name: found[name] for name in (*kept, "rewrites")} == {
        name: expected[name] for name in (*kept, "rewrites")
    }
    published(case, settings)
    engine = open_database(settings.database_location)
    with reading(engine) as connection:
        read = [saved_offsets(connection, task, kafka.topics.sessions) for task in (case.kind.name, "chains")]
    engine.dispose()
    assert read == [end_offsets(kafka, kafka.topics.sessions)] * 2
