"""Whatever fails while a log is streamed, the table is the one that the log teaches."""

import random
import re
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database, opened
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


class Stream(msgspec.Struct, frozen=True):
    """A log that workers are to read, and what a file of it teaches."""

    settings: Settings
    log: list[TurnEvent]
    rewrites: list[Rewrite]
    requests: dict[str, list[Any]]
    """What online rewriting knows of the log."""

    @property
    def kafka(self) -> KafkaSettings:
        assert self.settings.kafka is not None
        return self.settings.kafka

    def send_for(self, kind: str) -> None:
        """Sends the log, and has what comes before workers of a kind done."""
        send_turns(self.kafka, self.log)
        if kind in LEARNERS:
            drain(self.settings, SESSIONS)

    def check_after(self, kind: str) -> None:
        """Has what comes after workers of a kind done; then all is as from the file."""
        drain(self.settings, *(learner for learner in LEARNERS if learner is not kind))
        assert rewrites(self.settings.database_location) == self.rewrites
        assert requests(self.settings.database_location) == self.requests


@pytest.fixture(scope="module")
def taught(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("expected")
    learned = learned_from_file(log, folder)
    known = requests(folder / "learned.db")
    assert len(learned) == len(known["index"]) == 4 * N_PAIRS
    return {"log": log, "rewrites": learned, "requests": known}


@pytest.fixture
def kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Topics of four partitions, batches of thirty records, and the dead soon given up."""
    ensure_topics(kafka_settings, partitions=4)
    return msgspec.structs.replace(kafka_settings, max_poll_records=30, max_poll_interval_ms=6_000)


@pytest.fixture
def stream(taught: dict[str, Any], kafka: KafkaSettings, tmp_path: Path) -> Stream:
    return Stream(stream_settings(new_database(tmp_path / "rehear.db"), kafka), **taught)


@pytest.fixture
def on_postgresql(stream: Stream, postgres_url: str) -> Stream:
    return msgspec.structs.replace(stream, settings=stream_settings(postgres_url, stream.kafka))


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


@contextmanager
def reading_on(settings: Settings, kind: str, step: Step, fault: Callable[[], object]) -> Iterator[None]:
    """A worker that meets a fault before it takes a step a second time, and has waited twice for its end."""
    steps: list[Step] = []
    happened = threading.Event()

    def take(now: Step) -> None:
        steps.append(now)
        if steps.count(step) == 2 and not happened.is_set():
            fault()
            happened.set()

    with reading_log(settings, kind, on_step=take) as registry:
        eventually(happened.is_set, "the fault")
        eventually(lambda: retries(registry) >= 2, "two retries")
        yield


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
def test_a_worker_killed_at_any_step(kind: str, step: Step, stream: Stream, workers: WorkerPool) -> None:
    stream.send_for(kind)
    run_and_kill(workers, kind, stream.settings, step)
    stream.check_after(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [Step.WRITE, Step.PRODUCE])
def test_a_worker_killed_on_postgresql(
    kind: str, step: Step, on_postgresql: Stream, workers: WorkerPool
) -> None:
    on_postgresql.send_for(kind)
    run_and_kill(workers, kind, on_postgresql.settings, step)
    on_postgresql.check_after(kind)


@pytest.mark.parametrize("seed", [1, 2])
def test_workers_killed_at_any_moment(seed: int, stream: Stream, workers: WorkerPool) -> None:
    rng = random.Random(seed)
    settings, log = lasting(stream.settings), stream.log
    running = {kind: workers.start(kind, settings) for kind in WORKERS}
    parts = 4
    for part in range(parts):
        send_turns(stream.kafka, log[part * len(log) // parts : (part + 1) * len(log) // parts])
        threading.Event().wait(rng.uniform(0.2, 2.0))  # the moment of the fault
        victim = rng.choice(list(WORKERS))
        running[victim].kill()
        running[victim] = workers.start(victim, settings)
    eventually_rewrites(settings.database_location, stream.rewrites)
    with opened(settings.database_location) as engine:
        eventually(lambda: requests_in(engine) == stream.requests, "the requests")
    for worker in running.values():
        worker.stop()


def test_workers_of_a_group_take_over_from_the_dead(stream: Stream, workers: WorkerPool) -> None:
    log = stream.log
    pairs = {kind: [workers.start(kind, stream.settings) for _ in range(2)] for kind in (SESSIONS, CHAINS)}
    both = [worker for pair in pairs.values() for worker in pair]

    def shares(worker: Any) -> bool:
        taken = [line for line in worker.log.read_text().splitlines() if "partitions taken over" in line]
        return bool(taken) and taken[-1].count(":", taken[-1].index("places")) == 2

    eventually(lambda: all(map(shares, both)), "two partitions for each worker")
    send_turns(stream.kafka, log[: len(log) // 2])
    for kind, pair in pairs.items():
        pair[0].kill()
        leave_for(pair[0], stream.kafka, kind)
    send_turns(stream.kafka, log[len(log) // 2 :])
    eventually_rewrites(stream.settings.database_location, stream.rewrites)
    for pair in pairs.values():
        pair[1].stop()


# A broker or a database that is away


def caught_up(stream: Stream, n_turns: int) -> bool:
    """Whether both workers have read everything, and the sessions worker has nothing left to produce."""
    kafka = stream.kafka
    with opened(stream.settings.database_location) as engine, reading(engine) as connection:
        turns = saved_offsets(connection, "sessions", kafka.topics.turns)
        sessions = saved_offsets(connection, "chains", kafka.topics.sessions)
        waiting = has_waiting_sessions(connection, turns)
    produced = sum(end_offsets(kafka, kafka.topics.sessions).values())
    return sum(turns.values()) == n_turns and not waiting and sum(sessions.values()) == produced


def test_a_broker_that_goes_and_comes_back(
    broker: DevelopmentBroker, stream: Stream, workers: WorkerPool
) -> None:
    log, settings = stream.log, stream.settings
    running = [workers.start(kind, settings) for kind in (SESSIONS, CHAINS)]
    half = log[: len(log) // 2]
    send_turns(stream.kafka, half)
    # The development broker may lose what it acknowledged while it was being stopped, so it is stopped when
    # the workers have read all there is; tests/streams stops it in the middle of a batch.
    eventually(lambda: caught_up(stream, len(half)), "the workers at the end of the first half")
    broker.stop()
    try:
        threading.Event().wait(3)  # the fault: long enough for clients to notice
    finally:
        broker.start()
    send_turns(stream.kafka, log[len(log) // 2 :])
    eventually_rewrites(stream.settings.database_location, stream.rewrites)
    for worker in running:
        worker.stop()


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_that_another_program_locks(
    kind: str, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    stream.send_for(kind)
    open_database(stream.settings.database_location).dispose()
    program = sqlite3.connect(stream.settings.database_location, isolation_level=None)
    program.execute("BEGIN EXCLUSIVE")
    with reading_log(stream.settings, kind) as registry:
        eventually(lambda: retries(registry) >= 3, "three retries")
        program.execute("ROLLBACK")
        program.close()
    stream.check_after(kind)


@pytest.mark.parametrize("step", [Step.PROCESS, Step.WRITE, Step.PRODUCE])
@pytest.mark.parametrize("kind", [SESSIONS, CHAINS])
def test_a_database_file_that_is_moved_away_and_back(
    kind: str, step: Step, stream: Stream, tmp_path: Path
) -> None:
    stream.send_for(kind)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    def move() -> None:
        for file in tmp_path.glob("rehear.db*"):
            shutil.move(file, elsewhere)

    with reading_on(stream.settings, kind, step, move):
        for file in elsewhere.iterdir():
            shutil.move(file, tmp_path)
    stream.check_after(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_postgresql_server_that_restarts(kind: str, on_postgresql: Stream, postgres_process: Any) -> None:
    on_postgresql.send_for(kind)
    try:
        with reading_on(on_postgresql.settings, kind, Step.WRITE, postgres_process.stop):
            postgres_process.ensure_postgres_running()
    finally:
        postgres_process.ensure_postgres_running()
    on_postgresql.check_after(kind)


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
    taught: dict[str, Any], kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(**kafka_settings.admin_options())
    roomy = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "8000000"}}
    admin.create_topics({kafka_settings.topics.turns: roomy}, wait_for_metadata=True)
    admin.close()
    ensure_topics(kafka_settings, partitions=1)
    stream = Stream(stream_settings(new_database(tmp_path / "rehear.db"), kafka_settings), **taught)
    log = stream.log
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
    drain(stream.settings)
    stream.check_after(CHAINS)
    letters = sorted(read_dead_letters(kafka_settings), key=lambda letter: letter.source)
    assert [letter.source.offset for letter in letters] == offsets
    assert {(x.source.topic, x.source.partition, x.task) for x in letters} == {
        (kafka_settings.topics.turns, 0, "sessions")
    }
    assert [letter.value for letter in letters] == bad
    assert {letter.error for letter in letters} == {"TurnDecodeError", "TurnTimeError", "RecordSizeError"}


def test_records_that_are_no_sessions_of_ours_hold_up_nothing(
    on_postgresql: Stream, kafka: KafkaSettings
) -> None:
    log = on_postgresql.log
    foreign = SessionRecord(
        session_id="0" * 24, assistant_id="assistant-0", user_id="u00000", turns=tuple(log[:2])
    )
    line = encode_session(foreign)
    bad = [b"{", b"", None, line.replace(b"0" * 24, b"0" * 25), line.replace(b"assistant-0", b"a\\u0000", 1)]
    good = [line, encode_session(msgspec.structs.replace(foreign, turns=None))]
    on_postgresql.send_for(CHAINS)
    send_to(kafka, kafka.topics.sessions, [(b"assistant-0", value) for value in [*bad, *good]])
    drain(on_postgresql.settings, CHAINS)
    assert rewrites(on_postgresql.settings.database_location) == on_postgresql.rewrites
    letters = sorted(read_dead_letters(kafka), key=lambda letter: letter.source)
    assert [letter.value for letter in letters] == bad
    assert {letter.error for letter in letters} == {"TurnDecodeError"}
