"""Failures isolated in a stream are those that are isolated of a file, whatever fails meanwhile."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from letter_failures import NAME, REFUSED, LetterFailures
from sqlalchemy import select
from streaming import compacted, drain, rewrites, row_count, send_turns, stream_settings
from worker_faults import run_and_kill
from worker_pool import WorkerPool

from failure_isolation.store import FAILURE_CHANGE, FAILURES
from failure_isolation.turn_failure import TurnFailure
from labeling.models.in_use import set_models
from rewriting.table.rewrite import Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.privacy.forgetting import forget_user
from services.processes.worker import WorkerKind
from services.session_models.failures.answers import find_failures
from services.session_models.failures.backfill import isolate_all
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent, UserId, encode_turn

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
SESSIONS, CHAINS, FAILURES_WORKER = WorkerKind.SESSIONS, WorkerKind.CHAINS, WorkerKind.FAILURES


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    pairs = [
        PlantedPair(source=f"{verb} sonk", target=f"{verb} song", users=4)
        for verb in ("ask", "bring", "call", "dial", "enter")
    ]
    turns = [turn for key in ASSISTANTS for turn in planted_log(pairs, assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


@pytest.fixture(scope="module")
def expected(log: list[TurnEvent]) -> dict[str, dict[str, Any]]:
    """The failures of the log as `rehear isolate` gives them, by the key on the topic."""
    found = find_failures(log, sessionize(log), lambda key: LetterFailures())
    failures = {f"{x.turn.assistant_id}/{x.turn.event_id}": as_json(x.failure) for x in found}
    assert len(failures) == len(log) == 80
    return failures


@pytest.fixture(scope="module")
def expected_rewrites(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> list[Rewrite]:
    """The tables as jobs make them of a file."""
    folder = tmp_path_factory.mktemp("learned")
    settings = Settings(state=str(folder))
    learn_by_jobs(settings, log, folder)
    found = rewrites(settings.database_location)
    assert [row.failure_point for row in found if row.assistant_id == ASSISTANTS[0]] != [None] * 5
    assert len({row.failure_point for row in found}) == 5
    return found


def as_json(failure: TurnFailure) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(failure))
    return fields


def learn_by_jobs(settings: Settings, log: list[TurnEvent], folder: Path) -> None:
    file = folder / "turns.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, log)))
    engine = open_database(settings.database_location)
    learn_from_files(engine, RewriteTable(engine, now_ms), [file], settings.chain, now_ms)
    for assistant_id in ASSISTANTS:
        isolate_all(engine, settings, assistant_id, now_ms, isolator=(NAME, LetterFailures()))
    engine.dispose()


def stream(location: str, kafka: KafkaSettings) -> Settings:
    """Settings of workers on a database that names the models."""
    engine = open_database(location)
    with engine.begin() as connection:
        for assistant_id in ASSISTANTS:
            set_models(connection, assistant_id, {"failures": NAME}, 1)
    engine.dispose()
    return stream_settings(location, kafka)


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    return stream(new_database(tmp_path / "rehear.db"), kafka)


def published(settings: Settings, expected: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The failures on the topic, after it is seen that they are those in the table."""
    assert settings.kafka is not None
    topic = compacted(settings.kafka, settings.kafka.topics.failures)
    records = {key.decode(): msgspec.json.decode(value) for key, value in topic.items()}
    engine = open_database(settings.database_location)
    columns = FAILURES.c
    with reading(engine) as connection:
        rows = connection.execute(
            select(columns.assistant_id, columns.event_id, columns.session_id, columns.failure_point)
        )
        table = {f"{row.assistant_id}/{row.event_id}": tuple(row)[2:] for row in rows}
    assert row_count(engine, FAILURE_CHANGE) == 0
    engine.dispose()
    assert table == {key: (x["session_id"], x["failure_point"]) for key, x in records.items()}
    fields = next(iter(expected.values()))
    return {key: {name: record[name] for name in fields} for key, record in records.items()}


def published_points(kafka: KafkaSettings) -> dict[str, str | None]:
    """What the topic of rewrites says of failures, by id."""
    topic = compacted(kafka, kafka.topics.rewrites)
    rows = [msgspec.json.decode(value) for value in topic.values()]
    return {row["rewrite_id"]: row["failure_point"] for row in rows}


def test_a_stream_is_isolated_as_a_file_is(
    log: list[TurnEvent],
    expected: dict[str, Any],
    expected_rewrites: list[Rewrite],
    settings: Settings,
    kafka: KafkaSettings,
) -> None:
    send_turns(kafka, log)
    drain(settings)
    drain(settings, CHAINS)  # which publishes what the failures worker, the last of them, has made of rows
    assert published(settings, expected) == expected
    made = rewrites(settings.database_location)
    assert made == expected_rewrites
    assert published_points(kafka) == {row.rewrite_id: row.failure_point for row in made}
    ends = end_offsets(kafka, kafka.topics.failures), end_offsets(kafka, kafka.topics.rewrites)
    assert sum(ends[0].values()) == len(log)  # each turn once
    drain(settings)
    assert ends == (end_offsets(kafka, kafka.topics.failures), end_offsets(kafka, kafka.topics.rewrites))


def test_files_and_streams_can_be_mixed(
    log: list[TurnEvent],
    expected: dict[str, Any],
    expected_rewrites: list[Rewrite],
    settings: Settings,
    kafka: KafkaSettings,
    tmp_path: Path,
) -> None:
    """First tries through Kafka; then their second tries from a file, and failures before chains."""
    send_turns(kafka, [turn for turn in log if "sonk" in turn.request.text])
    drain(settings, SESSIONS, FAILURES_WORKER)
    learn_by_jobs(settings, log, tmp_path)
    drain(settings, FAILURES_WORKER, SESSIONS, CHAINS)
    assert published(settings, expected) == expected
    assert rewrites(settings.database_location) == expected_rewrites


@pytest.mark.parametrize("step", [Step.PROCESS, Step.WRITE, Step.PRODUCE, Step.COMMIT])
def test_a_worker_killed_at_a_step(
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    expected_rewrites: list[Rewrite],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS, CHAINS)
    run_and_kill(workers, FAILURES_WORKER, settings, step)
    assert published(settings, expected) == expected
    assert rewrites(settings.database_location) == expected_rewrites


def test_a_worker_killed_on_postgresql(
    log: list[TurnEvent],
    expected: dict[str, Any],
    expected_rewrites: list[Rewrite],
    kafka: KafkaSettings,
    postgres_url: str,
    workers: WorkerPool,
) -> None:
    settings = stream(postgres_url, kafka)
    send_turns(kafka, log)
    drain(settings, SESSIONS, CHAINS)
    run_and_kill(workers, FAILURES_WORKER, settings, Step.PRODUCE)
    assert published(settings, expected) == expected
    assert rewrites(settings.database_location) == expected_rewrites


def test_a_forgotten_user_is_gone_from_the_compacted_topic(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS, FAILURES_WORKER)
    engine = open_database(settings.database_location)
    assert forget_user(engine, now_ms, ASSISTANTS[0], UserId("u00001"))
    engine.dispose()
    drain(settings, FAILURES_WORKER)
    theirs = {
        f"{turn.assistant_id}/{turn.event_id}"
        for turn in log
        if (turn.assistant_id, turn.user_id) == (ASSISTANTS[0], "u00001")
    }
    assert theirs
    left = {key: failure for key, failure in expected.items() if key not in theirs}
    assert published(settings, expected) == left


def test_a_session_that_cannot_be_read_is_a_dead_letter_and_the_stream_goes_on(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    last = log[-1]
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    strange = msgspec.structs.replace(
        last, event_id="strange", user_id="stranger", request=said, nlu=(), ts_ms=10**12
    )
    send_turns(kafka, [strange, *log])
    drain(settings, SESSIONS, FAILURES_WORKER)
    (letter,) = read_dead_letters(kafka)
    assert (letter.error, letter.task, letter.source.topic) == (
        "FailureInputError",
        "failures",
        kafka.topics.sessions,
    )
    assert published(settings, expected) == expected
