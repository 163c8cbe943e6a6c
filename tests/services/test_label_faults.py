"""Labels made in a stream are those that are made of a file, whatever fails meanwhile."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from letter_detector import letter_log
from letter_labels import NAME, REFUSED, LetterLabels
from sqlalchemy import select
from streaming import compacted, drain, row_count, send_turns, stream_settings
from worker_faults import run_and_kill, run_while_locked
from worker_pool import WorkerPool

from labeling.labels.store import LABEL_CHANGE, LABELS
from labeling.labels.turn_label import TurnLabel
from labeling.models.in_use import set_models
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.privacy.forgetting import forget_user
from services.processes.worker import ModelLoaders, WorkerKind
from services.session_models.labels.answers import find_labels
from services.session_models.labels.backfill import label_all
from services.settings import Settings
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.session import sessionize
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent, UserId, encode_turn

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
SESSIONS, LABELS_WORKER = WorkerKind.SESSIONS, WorkerKind.LABELS


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    turns = [turn for key in ASSISTANTS for turn in letter_log("abcdefgh", assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


@pytest.fixture(scope="module")
def expected(log: list[TurnEvent]) -> dict[str, dict[str, Any]]:
    """The labels of the log as `rehear label` gives them, by the key on the topic."""
    found = find_labels(log, sessionize(log), lambda key: LetterLabels())
    labels = {f"{x.turn.assistant_id}/{x.turn.event_id}": as_json(x.label) for x in found}
    assert len(labels) == len(log) == 144
    return labels


def as_json(label: TurnLabel) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(label))
    return fields


def use_models(location: str) -> None:
    engine = open_database(location)
    with engine.begin() as connection:
        for assistant_id in ASSISTANTS:
            set_models(connection, assistant_id, {"labels": NAME}, 1)
    engine.dispose()


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    made = stream_settings(new_database(tmp_path / "rehear.db"), kafka)
    use_models(made.database_location)
    return made


def published(settings: Settings, expected: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The labels on the topic, after it is seen that they are those in the table."""
    assert settings.kafka is not None
    topic = compacted(settings.kafka, settings.kafka.topics.labels)
    records = {key.decode(): msgspec.json.decode(value) for key, value in topic.items()}
    engine = open_database(settings.database_location)
    columns = LABELS.c
    with reading(engine) as connection:
        rows = connection.execute(
            select(columns.assistant_id, columns.event_id, columns.session_id, columns.model, columns.defect)
        )
        table = {f"{row.assistant_id}/{row.event_id}": tuple(row)[2:] for row in rows}
    assert row_count(engine, LABEL_CHANGE) == 0
    engine.dispose()
    assert table == {key: (x["session_id"], x["model"], x["defect"]) for key, x in records.items()}
    fields = next(iter(expected.values()))
    return {key: {name: record[name] for name in fields} for key, record in records.items()}


def produced(kafka: KafkaSettings) -> int:
    return sum(end_offsets(kafka, kafka.topics.labels).values())


def test_a_stream_is_labelled_as_a_file_is(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS, LABELS_WORKER)
    assert published(settings, expected) == expected
    assert produced(kafka) == len(log)  # each turn once
    drain(settings)
    assert produced(kafka) == len(log)
    engine = open_database(settings.database_location)
    with reading(engine) as connection:
        read = saved_offsets(connection, "labels", kafka.topics.sessions)
    engine.dispose()
    assert read == end_offsets(kafka, kafka.topics.sessions)


def test_files_and_streams_can_be_mixed(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """First tries through Kafka and labelled; then their second tries from a file."""
    send_turns(kafka, [turn for turn in log if "quiet" not in turn.request.text])
    drain(settings)
    file = tmp_path / "turns.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, log)))
    engine = open_database(settings.database_location)
    learn_from_files(engine, RewriteTable(engine, now_ms), [file], settings.chain, now_ms)
    for assistant_id in ASSISTANTS:
        label_all(engine, settings, assistant_id, now_ms, generator=(NAME, LetterLabels()))
    engine.dispose()
    drain(settings)
    assert published(settings, expected) == expected


@pytest.mark.parametrize("step", list(Step))
def test_a_worker_killed_at_any_step(
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS)
    run_and_kill(workers, LABELS_WORKER, settings, step)
    assert published(settings, expected) == expected


@pytest.mark.parametrize("step", [Step.WRITE, Step.PRODUCE])
def test_a_worker_killed_on_postgresql(
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    kafka: KafkaSettings,
    postgres_url: str,
    workers: WorkerPool,
) -> None:
    settings = stream_settings(postgres_url, kafka)
    use_models(postgres_url)
    send_turns(kafka, log)
    drain(settings, SESSIONS)
    run_and_kill(workers, LABELS_WORKER, settings, step)
    assert published(settings, expected) == expected


def test_a_database_that_another_program_locks(
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    send_turns(kafka, log)
    drain(settings, SESSIONS)
    generator = LetterLabels()
    run_while_locked(LABELS_WORKER, settings, ModelLoaders(generator=lambda folder: generator))
    assert generator.labelled == 72  # nothing was labelled twice
    assert published(settings, expected) == expected


def test_a_forgotten_user_is_gone_from_the_compacted_topic(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS, LABELS_WORKER)
    engine = open_database(settings.database_location)
    assert forget_user(engine, now_ms, ASSISTANTS[0], UserId("u00001"))
    engine.dispose()
    drain(settings, LABELS_WORKER)
    theirs = {
        f"{turn.assistant_id}/{turn.event_id}"
        for turn in log
        if (turn.assistant_id, turn.user_id) == (ASSISTANTS[0], "u00001")
    }
    assert theirs
    left = {key: labels for key, labels in expected.items() if key not in theirs}
    assert published(settings, expected) == left
    assert produced(kafka) == len(log) + len(theirs)


def test_a_session_that_cannot_be_labelled_is_a_dead_letter_and_the_stream_goes_on(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    last = log[-1]
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    strange = msgspec.structs.replace(
        last, event_id="strange", user_id="stranger", request=said, nlu=(), ts_ms=10**12
    )
    send_turns(kafka, [strange, *log])
    drain(settings, SESSIONS, LABELS_WORKER)
    (letter,) = read_dead_letters(kafka)
    assert (letter.error, letter.task, letter.source.topic) == (
        "LabelInputError",
        "labels",
        kafka.topics.sessions,
    )
    assert published(settings, expected) == expected
