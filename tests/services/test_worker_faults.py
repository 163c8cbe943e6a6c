"""Whatever fails while a log is streamed, the table is the one that the log teaches."""

import random
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from kafka.admin import KafkaAdminClient, MemberToRemove
from prometheus_client import CollectorRegistry
from streaming import (
    drain,
    eventually_rewrites,
    learned_from_file,
    requests,
    requests_in,
    rewrites,
    send,
    send_to,
    send_turns,
    stream_settings,
)
from waiting import HANGS_AFTER_S, eventually
from worker_faults import lasting, run_and_kill
from worker_pool import RunningWorker, WorkerPool

from rewriting.table.rewrite import Rewrite
from services.platform.database import open_database
from services.processes.worker import WORKERS, worker_loop
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.broker import DevelopmentBroker
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.session_record import SessionRecord, encode_session
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.stores.session_store import has_waiting_sessions
from streams.topics import end_offsets, ensure_topics
from streams.turn import TurnEvent, encode_turn

SESSIONS, CHAINS = "sessions", "chains"
KINDS = SESSIONS, CHAINS, "index"  # others: test_rephrase_faults.py, test_label_faults.py
LEARNERS = CHAINS, "index"
N_PAIRS = 12


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    """Four assistants; in each, users who say a wrong and then the right text, and some who do not."""
    turns = [
        turn
        for number in range(4)
        for turn in planted_log(
            [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(N_PAIRS)],
            failures={f"play nothing {i}": 3 for i in range(4)},
            assistant_id=f"assistant-{number}",
            start_ms=1_736_121_600_000 + number,
        )
    ]
    return sorted(turns, key=lambda turn: turn.ts_ms)


@pytest.fixture(scope="module")
def learned_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("expected")


@pytest.fixture(scope="module")
def expected(log: list[TurnEvent], learned_folder: Path) -> list[Rewrite]:
    learned = learned_from_file(log, learned_folder)
    assert len(learned) == 4 * N_PAIRS
    return learned


@pytest.fixture(scope="module")
def expected_requests(expected: list[Rewrite], learned_folder: Path) -> dict[str, list[Any]]:
    """What online rewriting knows of the log."""
    learned = requests(learned_folder / "learned.db")
    assert len(learned["index"]) == 4 * N_PAIRS
    return learned


@pytest.fixture
def kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Topics of four partitions, batches of thirty records, and the dead soon given up."""
    ensure_topics(kafka_settings, partitions=4)
    return msgspec.structs.replace(kafka_settings, max_poll_records=30, max_poll_interval_ms=6_000)


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    return stream_settings(new_database(tmp_path / "rehear.db"), kafka)


def leave_for(dead: RunningWorker, kafka: KafkaSettings, kind: str) -> None:
    """Has a group give up its dead, as Kafka does after the session timeout; the test broker never does.

    Who is alive finds out that it has been given up, too, and joins again.
    """
    assert dead.status is not None
    admin = KafkaAdminClient(**kafka.admin_options())
    group = kafka.group_id(kind)
    members = admin.describe_groups([group])[group]["members"]
    admin.remove_group_members(group, [MemberToRemove(member_id=m["member_id"]) for m in members])
    admin.close()


@contextmanager
def reading_log(settings: Settings, kind: str, **options: Any) -> Iterator[CollectorRegistry]:
    """A worker in a thread, which reads all there is while the context waits for its end."""
    registry = CollectorRegistry()
    failures: list[BaseException] = []
    assert settings.kafka is not None
    engine = open_database(settings.database_location)
    loop = worker_loop(WORKERS[kind], engine, settings.kafka, settings, registry, **options)

    def run() -> None:
        try:
            loop.run(until_idle=True)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield registry
        thread.join(HANGS_AFTER_S)
    finally:
        loop.stop()
        thread.join(HANGS_AFTER_S)
        engine.dispose()
    assert failures == []


def retries(registry: CollectorRegistry) -> float:
    """How often the worker has waited out a failure."""
    return sum(
        sample.value
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "rehear_stream_retries_total"
    )


# Workers that are killed


@pytest.mark.parametrize("step", list(Step))
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_killed_at_any_step(
    kind: str,
    step: Step,
    log: list[TurnEvent],
    expected: list[Rewrite],
    expected_requests: dict[str, list[Any]],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    send_turns(kafka, log)
    if kind in LEARNERS:
        drain(settings, SESSIONS)
    run_and_kill(workers, kind, settings, step)
    drain(settings, *(learner for learner in LEARNERS if learner is not kind))
    assert rewrites(settings.database_location) == expected
    assert requests(settings.database_location) == expected_requests


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [Step.WRITE, Step.PRODUCE])
def test_a_worker_killed_on_postgresql(
    kind: str,
    step: Step,
    log: list[TurnEvent],
    expected: list[Rewrite],
    expected_requests: dict[str, list[Any]],
    kafka: KafkaSettings,
    postgres_url: str,
    workers: WorkerPool,
) -> None:
    settings = stream_settings(postgres_url, kafka)
    send_turns(kafka, log)
    if kind in LEARNERS:
        drain(settings, SESSIONS)
    run_and_kill(workers, kind, settings, step)
    drain(settings, *(learner for learner in LEARNERS if learner is not kind))
    assert rewrites(postgres_url) == expected
    assert requests(postgres_url) == expected_requests


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_any_moment(
    seed: int,
    log: list[TurnEvent],
    expected: list[Rewrite],
    expected_requests: dict[str, list[Any]],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    rng = random.Random(seed)
    settings = lasting(settings)
    running = {kind: workers.start(kind, settings) for kind in WORKERS}
    parts = 4
    for part in range(parts):
        send_turns(kafka, log[part * len(log) // parts : (part + 1) * len(log) // parts])
        threading.Event().wait(rng.uniform(0.2, 2.0))  # the moment of the fault
        victim = rng.choice(list(WORKERS))
        running[victim].kill()
        running[victim] = workers.start(victim, settings)
    eventually_rewrites(settings.database_location, expected)
    engine = open_database(settings.database_location)
    eventually(lambda: requests_in(engine) == expected_requests, "the requests")
    engine.dispose()
    for worker in running.values():
        worker.stop()


def test_workers_of_a_group_take_over_from_the_dead(
    log: list[TurnEvent],
    expected: list[Rewrite],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    pairs = {
        kind: [workers.start(kind, settings), workers.start(kind, settings)] for kind in (SESSIONS, CHAINS)
    }
    both = [worker for pair in pairs.values() for worker in pair]

    def shares(worker: Any) -> bool:
        taken = [line for line in worker.log.read_text().splitlines() if "partitions taken over" in line]
        return bool(taken) and taken[-1].count(":", taken[-1].index("places")) == 2

    eventually(lambda: all(map(shares, both)), "two partitions for each worker")
    send_turns(kafka, log[: len(log) // 2])
    for kind, pair in pairs.items():
        pair[0].kill()
        leave_for(pair[0], kafka, kind)
    send_turns(kafka, log[len(log) // 2 :])
    eventually_rewrites(settings.database_location, expected)
    for pair in pairs.values():
        pair[1].stop()


# A broker or a database that is away


def caught_up(settings: Settings, kafka: KafkaSettings, n_turns: int) -> bool:
    """Whether both workers have read everything, and the sessions worker has nothing left to produce."""
    engine = open_database(settings.database_location)
    try:
        with reading(engine) as connection:
            turns = saved_offsets(connection, "sessions", kafka.topics.turns)
            sessions = saved_offsets(connection, "chains", kafka.topics.sessions)
            waiting = has_waiting_sessions(connection, turns)
    finally:
        engine.dispose()
    produced = sum(end_offsets(kafka, kafka.topics.sessions).values())
    return sum(turns.values()) == n_turns and not waiting and sum(sessions.values()) == produced


def test_a_broker_that_goes_and_comes_back(
    log: list[TurnEvent],
    expected: list[Rewrite],
    broker: DevelopmentBroker,
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    running = [workers.start(kind, settings) for kind in (SESSIONS, CHAINS)]
    half = log[: len(log) // 2]
    send_turns(kafka, half)
    # The development broker may lose what it acknowledged while it was being stopped, so it is stopped when
    # the workers have read all there is; tests/streams stops it in the middle of a batch.
    eventually(lambda: caught_up(settings, kafka, len(half)), "the workers at the end of the first half")
    broker.stop()
    try:
        threading.Event().wait(3)  # the fault: long enough for clients to notice
    finally:
        broker.start()
    send_turns(kafka, log[len(log) // 2 :])
    eventually_rewrites(settings.database_location, expected)
    for worker in running:
        worker.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_another_program_locks(
    kind: str,
    log: list[TurnEvent],
    expected: list[Rewrite],
    expected_requests: dict[str, list[Any]],
    settings: Settings,
    kafka: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    send_turns(kafka, log)
    if kind in LEARNERS:
        drain(settings, SESSIONS)
    open_database(settings.database_location).dispose()
    program = sqlite3.connect(settings.database_location, isolation_level=None)
    program.execute("BEGIN EXCLUSIVE")
    with reading_log(settings, kind) as registry:
        eventually(lambda: retries(registry) >= 3, "three retries")
        program.execute("ROLLBACK")
        program.close()
    drain(settings, *(learner for learner in LEARNERS if learner is not kind))
    assert rewrites(settings.database_location) == expected
    assert requests(settings.database_location) == expected_requests


@pytest.mark.parametrize("step", [Step.PROCESS, Step.WRITE, Step.PRODUCE])
@pytest.mark.parametrize("kind", [SESSIONS, CHAINS])
def test_a_database_file_that_is_moved_away_and_back(
    kind: str,
    step: Step,
    log: list[TurnEvent],
    expected: list[Rewrite],
    settings: Settings,
    kafka: KafkaSettings,
    tmp_path: Path,
) -> None:
    send_turns(kafka, log)
    if kind is CHAINS:
        drain(settings, SESSIONS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    steps: list[Step] = []
    moved = threading.Event()

    def move(now: Step) -> None:
        steps.append(now)
        if steps.count(step) == 2 and not moved.is_set():
            for file in tmp_path.glob("rehear.db*"):
                shutil.move(file, elsewhere)
            moved.set()

    with reading_log(settings, kind, on_step=move) as registry:
        eventually(moved.is_set, "the fault")
        eventually(lambda: retries(registry) >= 2, "two retries")
        for file in elsewhere.iterdir():
            shutil.move(file, tmp_path)
    if kind is SESSIONS:
        drain(settings, CHAINS)
    assert rewrites(settings.database_location) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_postgresql_server_that_restarts(
    kind: str,
    log: list[TurnEvent],
    expected: list[Rewrite],
    expected_requests: dict[str, list[Any]],
    kafka: KafkaSettings,
    postgres_process: Any,
    postgres_url: str,
) -> None:
    settings = stream_settings(postgres_url, kafka)
    send_turns(kafka, log)
    if kind in LEARNERS:
        drain(settings, SESSIONS)
    steps: list[Step] = []
    stopped = threading.Event()

    def stop(now: Step) -> None:
        steps.append(now)
        if steps.count(Step.WRITE) == 2 and not stopped.is_set():
            postgres_process.stop()
            stopped.set()

    try:
        with reading_log(settings, kind, on_step=stop) as registry:
            eventually(stopped.is_set, "the fault")
            eventually(lambda: retries(registry) >= 2, "two retries")
            postgres_process.ensure_postgres_running()
    finally:
        postgres_process.ensure_postgres_running()
    drain(settings, *(learner for learner in LEARNERS if learner is not kind))
    assert rewrites(postgres_url) == expected
    assert requests(postgres_url) == expected_requests


# Records that are no turns


def damaged(turn: TurnEvent) -> dict[str, bytes | None]:
    """What a broken producer may send, by what is wrong with it."""
    line = encode_turn(turn)
    return {
        "not JSON": line[:-1],
        "empty": b"",
        "not UTF-8": line.replace(b"sonk", b"s\xff\xfek"),
        "another type": b'["a list"]',
        "wrong type": line.replace(b'"ts_ms":', b'"ts_ms":"soon","x":'),
        "wrong type inside": line.replace(b'"confidence":0.8', b'"confidence":"high"'),
        "unknown field": line.replace(b'{"schema', b'{"surprise":1,"schema', 1),
        "another version": line.replace(b'"schema_version":1', b'"schema_version":2'),
        "time in nanoseconds": line.replace(b'"ts_ms":', b'"ts_ms":1000000'),
        "time in seconds": re.sub(rb'"ts_ms":(\d+)\d{3}', rb'"ts_ms":\1', line),
        "byte order mark": b"\xef\xbb\xbf" + line,
        "lone surrogate": line.replace(b"planted-", b"planted-\\ud800", 1),
        "nested too deeply": b'{"request":' * 100_000 + b"}" * 100_000,
        "endless id": line.replace(b"planted-", b"planted-" + b"x" * 5_000, 1),
        "5 MB": line.replace(b"sonk", b"sonk" + b" x" * 2_500_000, 1),
        "tombstone": None,
    }


def test_records_that_are_no_turns_are_dead_letters_and_hold_up_nothing(
    log: list[TurnEvent], expected: list[Rewrite], kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(**kafka_settings.admin_options())
    roomy = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "8000000"}}
    admin.create_topics({kafka_settings.topics.turns: roomy}, wait_for_metadata=True)
    admin.close()
    ensure_topics(kafka_settings, partitions=1)
    settings = stream_settings(new_database(tmp_path / "rehear.db"), kafka_settings)
    bad = list(damaged(log[0]).values())
    records: list[tuple[bytes | None, bytes | None]] = []
    offsets = []
    for number, turn in enumerate(log):
        if number % 5 == 0 and bad[len(offsets) :]:
            offsets.append(len(records))
            records.append((None if number == 0 else b"a key", bad[len(offsets) - 1]))
        records.append((turn.key.encode(), encode_turn(turn)))
    assert len(offsets) == len(bad)
    send(kafka_settings, records)
    drain(settings)
    assert rewrites(settings.database_location) == expected
    letters = sorted(read_dead_letters(kafka_settings), key=lambda letter: letter.source)
    assert [letter.source.offset for letter in letters] == offsets
    assert {(x.source.topic, x.source.partition, x.task) for x in letters} == {
        (kafka_settings.topics.turns, 0, "sessions")
    }
    assert [letter.value for letter in letters] == bad
    assert {letter.error for letter in letters} == {"TurnDecodeError", "TurnTimeError", "RecordSizeError"}


def test_records_that_are_no_sessions_of_ours_hold_up_nothing(
    log: list[TurnEvent],
    expected: list[Rewrite],
    kafka: KafkaSettings,
    postgres_url: str,
) -> None:
    settings = stream_settings(postgres_url, kafka)
    foreign = SessionRecord(
        session_id="0" * 24, assistant_id="assistant-0", user_id="u00000", turns=tuple(log[:2])
    )
    line = encode_session(foreign)
    bad = [b"{", b"", None, line.replace(b"0" * 24, b"0" * 25), line.replace(b"assistant-0", b"a\\u0000", 1)]
    good = [line, encode_session(msgspec.structs.replace(foreign, turns=None))]
    send_turns(kafka, log)
    drain(settings, SESSIONS)
    send_to(kafka, kafka.topics.sessions, [(b"assistant-0", value) for value in [*bad, *good]])
    drain(settings, CHAINS)
    assert rewrites(postgres_url) == expected
    letters = sorted(read_dead_letters(kafka), key=lambda letter: letter.source)
    assert [letter.value for letter in letters] == bad
    assert {letter.error for letter in letters} == {"TurnDecodeError"}
