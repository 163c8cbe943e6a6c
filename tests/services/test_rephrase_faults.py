"""Rephrases found in a stream are those that are found in a file, whatever fails meanwhile."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from letter_detector import NAME, REFUSED, LetterDetector, letter_log
from sqlalchemy import select
from streaming import drain, requests, rewrites, send_turns, stream_settings
from worker_faults import run_and_kill, run_while_locked
from worker_pool import WorkerPool

from labeling.models.in_use import set_models
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.store import REPHRASE_PAIR, REPHRASE_SESSION, STALE_CANDIDATE
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.processes.worker import ModelLoaders, WorkerKind
from services.session_models.rephrases.backfill import RephraseAbsorption, absorb_rephrases
from services.settings import Settings
from services.tasks.chain import TASK as CHAINS_TASK
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent, encode_turn

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
LETTERS = "abcdefgh"
SESSIONS, REPHRASES = WorkerKind.SESSIONS, WorkerKind.REPHRASES
LEARNERS = WorkerKind.CHAINS, WorkerKind.INDEX
REPHRASE_SETTINGS = RephraseSettings(in_chains=True)


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    turns = [turn for key in ASSISTANTS for turn in letter_log(LETTERS, assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


def use_detectors(location: str) -> None:
    engine = open_database(location)
    with engine.begin() as connection:
        for assistant_id in ASSISTANTS:
            set_models(connection, assistant_id, {"rephrase": NAME}, 1)
    engine.dispose()


def absorb(settings: Settings, assistant_id: AssistantId) -> RephraseAbsorption:
    engine = open_database(settings.database_location)
    try:
        table = RewriteTable(engine, now_ms)
        return absorb_rephrases(engine, table, settings, assistant_id, (NAME, LetterDetector()), now_ms)
    finally:
        engine.dispose()


def learn(settings: Settings, turns: list[TurnEvent], folder: Path) -> None:
    file = folder / "turns.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, turns)))
    engine = open_database(settings.database_location)
    table = RewriteTable(engine, now_ms)
    learn_from_files(engine, table, [file], settings.chain, now_ms, rephrases=settings.rephrases)
    engine.dispose()


def known(location: str) -> dict[str, Any]:
    """All that was learned, without what tells when and whence it came."""
    engine = open_database(location)
    sessions = REPHRASE_SESSION.c
    queries = {
        "links": select(sessions.session_id, sessions.model, sessions.turns_key, sessions.links),
        "pairs": select(REPHRASE_PAIR),
        "stale": select(STALE_CANDIDATE),
    }
    with reading(engine) as connection:
        found: dict[str, Any] = {
            name: sorted(tuple(row) for row in connection.execute(query)) for name, query in queries.items()
        }
    engine.dispose()
    return found | {"rewrites": rewrites(location), "requests": requests(location)}


@pytest.fixture(scope="module")
def expected(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the log teaches when it is read from a file."""
    folder = tmp_path_factory.mktemp("expected")
    settings = Settings(database=new_database(folder / "rehear.db"), rephrases=REPHRASE_SETTINGS)
    learn(settings, log, folder)
    for assistant_id in ASSISTANTS:
        found = absorb(settings, assistant_id)
        assert (found.judged, found.refused, found.sessions) == (36, 0, 36)
        assert (found.pairs, found.candidates) == (32, 8)
        assert absorb(settings, assistant_id).judged == 0
    learned = known(settings.database_location)
    assert len(learned["links"]) == 72
    for method, status in (("chain", "live"), ("rephrase", "candidate")):
        rows = [row for row in learned["rewrites"] if row.method == method]
        assert {row.source_text for row in rows} == {f"{letter}hush" for letter in LETTERS}
        assert {row.status for row in rows} == {status}
        assert len(rows) == 16
    return learned


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    made = stream_settings(new_database(tmp_path / "rehear.db"), kafka)
    use_detectors(made.database_location)
    return msgspec.structs.replace(made, rephrases=REPHRASE_SETTINGS)


@pytest.mark.parametrize("chains_first", [True, False])
def test_a_stream_teaches_what_a_file_does(
    chains_first: bool,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
) -> None:
    send_turns(kafka, log)
    drain(settings, SESSIONS)
    if chains_first:
        drain(settings, *LEARNERS)
        assert known(settings.database_location)["requests"] != expected["requests"]
    drain(settings, REPHRASES, *LEARNERS)
    assert known(settings.database_location) == expected
    produced = sum(end_offsets(kafka, kafka.topics.sessions).values())
    assert produced == 2 * 72  # each session once when it was closed, and once with its links
    drain(settings, *WorkerKind)
    assert sum(end_offsets(kafka, kafka.topics.sessions).values()) == produced
    assert known(settings.database_location) == expected


def test_files_and_streams_can_be_mixed(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings, tmp_path: Path
) -> None:
    """First tries through Kafka and judged; then their second tries from a file."""
    send_turns(kafka, [turn for turn in log if "quiet" not in turn.request.text])
    drain(settings)
    learn(settings, log, tmp_path)
    assert len(known(settings.database_location)["links"]) == 8  # of the others, none is left
    for assistant_id in ASSISTANTS:
        absorb(settings, assistant_id)
    drain(settings)
    assert known(settings.database_location) == expected


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
    drain(settings, SESSIONS, *LEARNERS)
    run_and_kill(workers, REPHRASES, settings, step)
    drain(settings, *LEARNERS)
    assert known(settings.database_location) == expected


@pytest.mark.parametrize("step", [Step.WRITE, Step.PRODUCE])
def test_a_worker_killed_on_postgresql(
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    kafka: KafkaSettings,
    postgres_url: str,
    workers: WorkerPool,
) -> None:
    settings = msgspec.structs.replace(stream_settings(postgres_url, kafka), rephrases=REPHRASE_SETTINGS)
    use_detectors(postgres_url)
    send_turns(kafka, log)
    drain(settings, SESSIONS, *LEARNERS)
    run_and_kill(workers, REPHRASES, settings, step)
    drain(settings, *LEARNERS)
    assert known(postgres_url) == expected


def test_a_database_that_another_program_locks(
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    send_turns(kafka, log)
    drain(settings, SESSIONS, *LEARNERS)
    detector = LetterDetector()
    run_while_locked(REPHRASES, settings, ModelLoaders(detector=lambda folder: detector))
    assert detector.judged == 72  # nothing was judged twice
    drain(settings, *LEARNERS)
    assert known(settings.database_location) == expected


def test_a_session_that_the_detector_cannot_take_is_a_dead_letter_and_the_stream_goes_on(
    log: list[TurnEvent], expected: dict[str, Any], settings: Settings, kafka: KafkaSettings
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
    drain(settings, SESSIONS, REPHRASES, *LEARNERS)
    (letter,) = read_dead_letters(kafka)
    assert (letter.error, letter.task, letter.source.topic) == (
        "RephraseInputError",
        "rephrases",
        kafka.topics.sessions,
    )
    assert letter.value is not None
    assert REFUSED.encode() in letter.value
    learned = known(settings.database_location)
    assert {name: learned[name] for name in ("links", "pairs")} == {
        name: expected[name] for name in ("links", "pairs")
    }
    assert learned["rewrites"] == expected["rewrites"]
    engine = open_database(settings.database_location)
    with reading(engine) as connection:
        read = [saved_offsets(connection, task, kafka.topics.sessions) for task in ("rephrases", CHAINS_TASK)]
    engine.dispose()
    assert read == [end_offsets(kafka, kafka.topics.sessions)] * 2
