import codecs
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import NoOffsetForPartitionError
from msgspec import structs
from prometheus_client import CollectorRegistry
from turns import START_MS
from waiting import HANGS_AFTER_S, eventually

from streams.broker import DevelopmentBroker
from streams.consumer_loop import POLL_MS, ConsumerLoop, Step
from streams.dead_letter import Selection, read_dead_letters, replay_dead_letters
from streams.errors import CheckpointConflictError, RecordsRefusedError, StreamError, TopicError
from streams.kafka_connection import open_consumer
from streams.kafka_settings import KafkaSettings
from streams.stream_metrics import StreamMetrics
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topics import ensure_topics
from streams.turn import Request, TurnEvent, decode_turn, encode_turn
from streams.turn_time import AHEAD_MS

Rows = list[tuple[int, int, str]]


class LockedDatabaseError(Exception):
    """What a database says that will be back."""


class Ledger:
    """A database: rows, an outbox and offsets, changed in transactions."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rows: Rows = []
        self.offsets: dict[int, int] = {}
        self.outbox: list[str] = []

    @property
    def events(self) -> list[str]:
        return [event for _, _, event in self.rows]


class LedgerTask:
    """Writes turns to a ledger, and sends each of them on."""

    name = "ledger"

    def __init__(self, settings: KafkaSettings, ledger: Ledger) -> None:
        self.source_topic = settings.topics.turns
        self.out_topic = settings.topics.sessions
        self.ledger = ledger
        self.before_process: Callable[[], None] = lambda: None
        self.before_write: Callable[[], None] = lambda: None
        self.open_events: list[str] = []  # to be closed by idle
        self.refused_events: set[str] = set()
        self.owned: set[int] = set()
        self.outgoing_calls = 0
        self.now_ms = START_MS

    def start_offsets(self, partitions: Sequence[int]) -> Mapping[int, int | None]:
        with self.ledger.lock:
            return {partition: self.ledger.offsets.get(partition) for partition in partitions}

    def assigned(self, partitions: Sequence[int]) -> None:
        assert not self.owned & set(partitions)
        self.owned |= set(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        assert self.owned >= set(partitions)
        self.owned -= set(partitions)

    def decode(self, value: bytes | None) -> TurnEvent:
        return decode_turn(value, self.now_ms)

    def process(self, items: Sequence[Received[TurnEvent]]) -> Rows:
        self.before_process()
        if refused := [item for item in items if item.value.event_id in self.refused_events]:
            # one at a time: what else is wrong comes out later
            first = refused[0]
            raise RecordsRefusedError({(first.partition, first.offset): ValueError(first.value.event_id)})
        return [(item.partition, item.offset, item.value.event_id) for item in items]

    def write(self, work: Rows, offsets: Mapping[int, OffsetRange]) -> None:
        self.before_write()
        with self.ledger.lock:
            for partition, saved in offsets.items():
                if self.ledger.offsets.get(partition) != saved.expected:
                    raise CheckpointConflictError(f"partition {partition} has moved on")
            self.ledger.rows.extend(work)
            self.ledger.outbox.extend(event for _, _, event in work)
            self.ledger.offsets.update({partition: saved.next for partition, saved in offsets.items()})

    def outgoing(self) -> Iterable[OutgoingRecord]:
        self.outgoing_calls += 1
        with self.ledger.lock:
            events = list(self.ledger.outbox)
        return [OutgoingRecord(topic=self.out_topic, key=e.encode(), value=e.encode()) for e in events]

    def produced(self) -> None:
        with self.ledger.lock:
            self.ledger.outbox.clear()

    def idle(self, now_ms: int) -> Rows | None:
        closed, self.open_events = self.open_events, []
        return [(-1, -1, event) for event in closed] or None

    def is_retriable(self, error: Exception) -> bool:
        return isinstance(error, LockedDatabaseError)


def turn(number: int) -> bytes:
    return encode_turn(
        TurnEvent(
            schema_version=1,
            event_id=f"e{number}",
            assistant_id="home",
            user_id="u",
            ts_ms=START_MS + number,
            request=Request(text="play jazz"),
        )
    )


def send(settings: KafkaSettings, values: Iterable[bytes | None], partition: int = 0) -> None:
    producer = KafkaProducer(**settings.producer_options())
    futures = [producer.send(settings.topics.turns, v, key=b"home/u", partition=partition) for v in values]
    producer.flush(HANGS_AFTER_S)
    assert all(future.succeeded() for future in futures)
    producer.close()


def raising(*errors: Exception) -> Callable[[], None]:
    """Raises one of the errors after the other, and then nothing."""
    left = iter(errors)

    def fail() -> None:
        for error in left:
            raise error

    return fail


def names(numbers: Iterable[int]) -> list[str]:
    return [f"e{number}" for number in numbers]


@contextmanager
def running(loop: ConsumerLoop[TurnEvent, Rows]) -> Iterator[None]:
    failures: list[BaseException] = []

    def run() -> None:
        try:
            loop.run()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        loop.stop()
        thread.join(HANGS_AFTER_S)
        assert not thread.is_alive()
    assert failures == []


@pytest.fixture
def settings(kafka_settings: KafkaSettings) -> KafkaSettings:
    ensure_topics(kafka_settings, partitions=2)
    return kafka_settings


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def task(settings: KafkaSettings, ledger: Ledger) -> LedgerTask:
    return LedgerTask(settings, ledger)


def test_until_idle_reads_every_partition_to_its_end(settings: KafkaSettings, task: LedgerTask) -> None:
    send(settings, map(turn, range(3000)), partition=0)
    send(settings, map(turn, range(3000, 3010)), partition=1)
    registry = CollectorRegistry()
    small = structs.replace(settings, max_poll_records=700)
    ConsumerLoop(task, small, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert [e for p, _, e in task.ledger.rows if p == 0] == names(range(3000))
    assert [e for p, _, e in task.ledger.rows if p == 1] == names(range(3000, 3010))
    assert task.ledger.offsets == {0: 3000, 1: 10}
    assert task.ledger.outbox == []
    assert task.owned == set()
    labels = {"task": "ledger", "topic": settings.topics.turns}
    assert registry.get_sample_value("rehear_stream_records_total", labels) == 3010
    # what the group was told is what was saved
    admin = KafkaAdminClient(**settings.admin_options())
    committed = admin.list_group_offsets([settings.group_id("ledger")])
    admin.close()
    assert sorted(offset.offset for offset in committed[settings.group_id("ledger")].values()) == [10, 3000]


def test_a_long_backlog_is_read(tmp_path: Path, ledger: Ledger) -> None:
    # the development broker answers with all of it at once: 110 MB, above the client's own limit of 100
    padding = b" " * 250_000
    with DevelopmentBroker(tmp_path) as own_broker:  # the others' would be slow to stop from then on
        settings = KafkaSettings(bootstrap_servers=own_broker.bootstrap_servers)
        ensure_topics(settings, partitions=1)
        send(settings, (turn(number) + padding for number in range(440)))
        ConsumerLoop(LedgerTask(settings, ledger), settings).run(until_idle=True)
    assert ledger.events == names(range(440))


def test_until_idle_closes_what_is_left(settings: KafkaSettings, task: LedgerTask) -> None:
    task.open_events = ["open"]
    send(settings, [turn(0)])
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == ["e0", "open"]
    assert task.ledger.outbox == []


def test_a_second_run_reads_nothing_again(settings: KafkaSettings, task: LedgerTask) -> None:
    send(settings, map(turn, range(5)))
    ConsumerLoop(task, settings).run(until_idle=True)
    send(settings, map(turn, range(5, 8)))
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == names(range(8))


def test_steps_come_in_their_order(settings: KafkaSettings, task: LedgerTask) -> None:
    steps: list[Step] = []
    send(settings, [turn(0)])
    ConsumerLoop(task, settings, on_step=steps.append).run(until_idle=True)
    start = steps.index(Step.DECODE) - 1
    assert steps[start : start + len(Step)] == list(Step)


def test_bad_records_are_dead_letters_and_good_ones_get_through(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    admin = KafkaAdminClient(**settings.admin_options())
    admin.delete_topics([settings.topics.turns])
    big = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "8000000"}}
    admin.create_topics({settings.topics.turns: big}, wait_for_metadata=True)
    admin.close()
    bad: list[bytes | None] = [
        codecs.BOM_UTF8 + turn(2),
        b'{"schema_version": 1, "event_id": "\xff\xfe"}',
        turn(1).replace(b'"ts_ms":', b'"ts_ms":"one","x":'),
        None,
        b"x" * 5_000_000,
        b"",
    ]
    values: list[bytes | None] = [turn(0)]
    for number, value in enumerate(bad, 1):
        values += [value, turn(number)]
    send(settings, values)
    registry = CollectorRegistry()
    ConsumerLoop(task, settings, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert task.ledger.events == names(range(len(bad) + 1))
    letters = sorted(read_dead_letters(settings), key=lambda letter: letter.source)
    assert [letter.source.offset for letter in letters] == [1, 3, 5, 7, 9, 11]
    assert [letter.value for letter in letters] == bad
    assert [letter.error for letter in letters] == ["TurnDecodeError"] * 4 + [
        "RecordSizeError",
        "TurnDecodeError",
    ]
    assert {(letter.key, letter.task, letter.source.topic) for letter in letters} == {
        (b"home/u", "ledger", settings.topics.turns)
    }
    assert letters[0].message.startswith("not JSON: it starts with a byte order mark (EF BB BF)")
    labels = {"task": "ledger", "topic": settings.topics.turns, "error": "RecordSizeError"}
    assert registry.get_sample_value("rehear_stream_decode_failures_total", labels) == 1


def test_times_of_another_unit_are_dead_letters_and_those_of_a_wrong_clock_can_be_replayed(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    in_seconds = re.sub(rb'"ts_ms":(\d+)\d{3}', rb'"ts_ms":\1', turn(1))
    from_tomorrow = turn(2 * AHEAD_MS)
    send(settings, [turn(0), in_seconds, from_tomorrow, turn(3)])
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == names([0, 3])
    seconds, tomorrow = sorted(read_dead_letters(settings), key=lambda letter: letter.source)
    assert {seconds.error, tomorrow.error} == {"TurnTimeError"}
    assert "this looks like seconds; multiply it by 1,000" in seconds.message
    assert "more than a day ahead of the clock here, 2025-01-06 00:00 UTC" in tomorrow.message
    task.now_ms += AHEAD_MS
    replayed = replay_dead_letters(settings, Selection(errors=frozenset({"TurnTimeError"}))).replayed
    assert replayed == {"TurnTimeError": 2}
    send(settings, [turn(1)])  # mended by whoever had sent it
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == names([0, 3, 2 * AHEAD_MS, 1])
    assert [letter.value for letter in read_dead_letters(settings)].count(in_seconds) == 2


def test_records_that_the_task_refuses_are_dead_letters_and_the_others_get_through(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    task.refused_events = {"e0", "e3", "e11"}
    task.before_write = raising(LockedDatabaseError("locked"))
    send(settings, map(turn, range(10)), partition=0)
    send(settings, map(turn, range(10, 13)), partition=1)
    registry = CollectorRegistry()
    ConsumerLoop(task, settings, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert sorted(task.ledger.events) == sorted(set(names(range(13))) - task.refused_events)
    assert task.ledger.offsets == {0: 10, 1: 3}
    letters = sorted(read_dead_letters(settings), key=lambda letter: letter.source)
    assert [(letter.source.partition, letter.source.offset, letter.value) for letter in letters] == [
        (0, 0, turn(0)),
        (0, 3, turn(3)),
        (1, 1, turn(11)),
    ]
    assert {(letter.error, letter.message) for letter in letters} == {
        ("ValueError", event) for event in task.refused_events
    }
    labels = {"task": "ledger", "topic": settings.topics.turns, "error": "ValueError"}
    assert registry.get_sample_value("rehear_stream_decode_failures_total", labels) == 3


def test_a_task_that_refuses_what_it_was_not_given_stops_the_loop(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    task.before_process = raising(RecordsRefusedError({(0, 99): ValueError("not mine")}))
    send(settings, [turn(0)])
    with pytest.raises(RecordsRefusedError):
        ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.offsets == {}


def test_slow_work_causes_no_rebalance_and_no_second_fetch(settings: KafkaSettings, ledger: Ledger) -> None:
    send(settings, map(turn, range(6)))
    impatient = structs.replace(settings, max_poll_interval_ms=1_500, max_poll_records=3)
    task = LedgerTask(impatient, ledger)
    processed: list[int] = []

    def stall() -> None:
        processed.append(1)
        time.sleep(4.0)  # the fault: nearly three times what the group allows between polls

    task.before_process = stall
    registry = CollectorRegistry()
    ConsumerLoop(task, impatient, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert ledger.events == names(range(6))
    assert len(processed) == 2
    assert registry.get_sample_value("rehear_stream_rebalances_total", {"task": "ledger"}) == 1


def test_a_locked_database_is_waited_out(settings: KafkaSettings, task: LedgerTask) -> None:
    send(settings, map(turn, range(10)))
    small = structs.replace(settings, max_poll_records=5)
    task.before_write = raising(*[LockedDatabaseError("database is locked")] * 3)
    registry = CollectorRegistry()
    ConsumerLoop(task, small, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert task.ledger.events == names(range(10))
    retries = registry.get_sample_value(
        "rehear_stream_retries_total", {"task": "ledger", "error": "LockedDatabaseError"}
    )
    assert retries == 3


def test_an_error_that_does_not_pass_stops_the_loop_and_saves_nothing(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    send(settings, [turn(0)])
    task.before_write = raising(ConnectionError("looks like the network, but the task says it is final"))
    with pytest.raises(ConnectionError, match="final"):
        ConsumerLoop(task, settings).run()
    assert task.ledger.offsets == {}
    task.owned.clear()
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == ["e0"]


def test_a_broker_that_comes_back_is_waited_for(
    broker: DevelopmentBroker, settings: KafkaSettings, task: LedgerTask
) -> None:
    send(settings, map(turn, range(100)))
    small = structs.replace(settings, max_poll_records=10)
    with running(ConsumerLoop(task, small)):
        eventually(lambda: len(task.ledger.rows) == 100, "the first hundred")
        broker.stop()
        time.sleep(3)  # the fault: long enough for clients to notice
        broker.start()
        send(settings, map(turn, range(100, 200)))
        eventually(lambda: len(task.ledger.rows) >= 200, "the second hundred")
    assert task.ledger.events == names(range(200))


def test_a_broker_that_goes_in_the_middle_of_a_batch(
    broker: DevelopmentBroker, settings: KafkaSettings, task: LedgerTask
) -> None:
    send(settings, map(turn, range(20)))
    stopped = threading.Event()
    started = threading.Event()

    def bounce() -> None:
        if task.ledger.rows and not stopped.is_set():
            stopped.set()
            assert started.wait(HANGS_AFTER_S)

    task.before_write = bounce
    with running(ConsumerLoop(task, structs.replace(settings, max_poll_records=10))):
        assert stopped.wait(HANGS_AFTER_S)
        broker.stop()
        started.set()
        eventually(lambda: len(task.ledger.rows) == 20, "the write, without a broker")
        broker.start()
        eventually(lambda: not task.ledger.outbox, "what was to be produced")
    assert task.ledger.events == names(range(20))


def test_an_absent_broker_does_not_keep_a_loop_from_stopping(task: LedgerTask) -> None:
    registry = CollectorRegistry()
    loop = ConsumerLoop(task, KafkaSettings(bootstrap_servers="127.0.0.1:1"), metrics=StreamMetrics(registry))
    labels = {"task": "ledger", "error": "KafkaUnreachableError"}
    with running(loop):  # and stopped: it would wait for the broker for ever
        eventually(lambda: bool(registry.get_sample_value("rehear_stream_retries_total", labels)), "a retry")


def test_a_saved_offset_beyond_the_log_starts_at_its_beginning(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    task.ledger.offsets = {0: 1_000}
    send(settings, map(turn, range(3)))
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.events == names(range(3))
    assert task.ledger.offsets[0] == 3


def test_another_workers_checkpoint_drops_the_batch(settings: KafkaSettings, task: LedgerTask) -> None:
    send(settings, map(turn, range(10)))

    def overtake() -> None:
        task.before_write = lambda: None
        with task.ledger.lock:  # the other worker has written the first seven
            task.ledger.rows.extend((0, number, f"e{number}") for number in range(7))
            task.ledger.offsets[0] = 7

    task.before_write = overtake
    registry = CollectorRegistry()
    ConsumerLoop(task, settings, metrics=StreamMetrics(registry)).run(until_idle=True)
    assert task.ledger.events == names(range(10))
    assert registry.get_sample_value("rehear_stream_conflicts_total", {"task": "ledger"}) == 1


def test_two_loops_share_the_partitions_and_hand_over(settings: KafkaSettings, ledger: Ledger) -> None:
    first, second = LedgerTask(settings, ledger), LedgerTask(settings, ledger)
    with running(ConsumerLoop(first, settings)):
        eventually(lambda: first.owned == {0, 1}, "both partitions for the first")
        send(settings, map(turn, range(50)), partition=0)
        with running(ConsumerLoop(second, settings)):
            eventually(lambda: len(first.owned) == len(second.owned) == 1, "one partition for each")
            assert first.owned | second.owned == {0, 1}
            send(settings, map(turn, range(50, 100)), partition=0)
            send(settings, map(turn, range(100, 150)), partition=1)
            eventually(lambda: len(ledger.rows) >= 150, "150 turns")
        eventually(lambda: first.owned == {0, 1}, "both partitions for the first again")
        send(settings, map(turn, range(150, 200)), partition=1)
        eventually(lambda: len(ledger.rows) >= 200, "200 turns")
    assert sorted(Counter(ledger.events).items()) == sorted((name, 1) for name in names(range(200)))
    assert [e for p, _, e in ledger.rows if p == 1] == names(range(100, 200))


def test_a_group_that_assigns_slowly_because_of_new_partitions_is_waited_for(
    settings: KafkaSettings, task: LedgerTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assign, assigned = RangePartitionAssignor.assign, Counter[int]()

    def assign_slowly(cluster: Any, members: Any) -> Any:
        partitions = len(cluster.partitions_for_topic(task.source_topic))
        if not assigned:
            admin = KafkaAdminClient(**settings.admin_options())
            admin.create_partitions({task.source_topic: 3})
            admin.close()
        assigned[partitions] += 1
        threading.Event().wait(2 * POLL_MS / 1000)  # the poll that asked for it ends
        return assign(cluster, members)

    monkeypatch.setattr(RangePartitionAssignor, "assign", staticmethod(assign_slowly))
    with running(ConsumerLoop(task, settings)):
        eventually(lambda: task.owned == {0, 1, 2}, "the new partition")
        for partition in range(3):
            send(settings, [turn(partition)], partition)
        eventually(lambda: len(task.ledger.rows) == 3, "a turn of each partition")
    assert assigned[2] >= 1


def test_stop_finishes_the_batch(settings: KafkaSettings, task: LedgerTask) -> None:
    send(settings, map(turn, range(10)))
    loop = ConsumerLoop(task, structs.replace(settings, max_poll_records=5))
    task.before_process = loop.stop
    loop.run()
    assert task.ledger.events == names(range(5))
    assert task.ledger.offsets == {0: 5}
    assert task.ledger.outbox == []


def test_what_a_crash_left_to_produce_is_produced_on_assignment(
    settings: KafkaSettings, task: LedgerTask
) -> None:
    task.ledger.outbox = ["written but not produced"]
    ConsumerLoop(task, settings).run(until_idle=True)
    assert task.ledger.outbox == []


def test_a_killed_worker_gets_its_partitions_back_at_once(settings: KafkaSettings, ledger: Ledger) -> None:
    lasting = structs.replace(settings, group_instance_id="w1", session_timeout_ms=600_000)
    send(settings, [turn(0)])
    killed = open_consumer(lasting, LedgerTask.name)  # it never leaves the group
    killed.subscribe([settings.topics.turns])
    with pytest.raises(NoOffsetForPartitionError):  # it has joined, and does not know where to start
        eventually(lambda: bool(killed.poll(50)), "an assignment")
    started = time.monotonic()
    ConsumerLoop(LedgerTask(settings, ledger), lasting).run(until_idle=True)
    assert ledger.events == ["e0"]
    assert (time.monotonic() - started) * 1000 < lasting.session_timeout_ms
    killed.close(timeout_ms=100)


def test_a_missing_topic_is_named(kafka_settings: KafkaSettings, ledger: Ledger) -> None:
    with pytest.raises(TopicError, match=kafka_settings.topics.turns):
        ConsumerLoop(LedgerTask(kafka_settings, ledger), kafka_settings).run()


def test_any_error_of_decoding_is_a_dead_letter(settings: KafkaSettings, task: LedgerTask) -> None:
    class CarelessTask(LedgerTask):
        def decode(self, value: bytes | None) -> TurnEvent:
            if value == b"surprise":
                raise KeyError("surprise")
            return super().decode(value)

    send(settings, [b"surprise", turn(0)])
    careless = CarelessTask(settings, task.ledger)
    ConsumerLoop(careless, settings).run(until_idle=True)
    assert task.ledger.events == ["e0"]
    assert [letter.error for letter in read_dead_letters(settings)] == ["KeyError"]
    assert not issubclass(KeyError, StreamError)
