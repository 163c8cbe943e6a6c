"""The consumer loop: records of a topic, at least once, through a task that saves its state and offsets.

1. poll: take what the log has.
2. decode: what cannot be decoded becomes a dead letter, which the broker has before the next step.
3. process: the task works out what the records change; nothing is changed yet. Records that it refuses become
   dead letters as well, and it works on the others.
4. write: the task saves state, results and offsets in one transaction.
5. produce: what was written to be produced goes out, and is marked when the broker has it.
6. commit: the group hears how far we are, for those who watch its lag.

What step 4 has saved decides where reading goes on, so a crash at any moment repeats at most what was not
saved: before it the batch is read again, after it step 5 finds what is not marked. A dead letter or a
produced record may come twice, so readers go by source or by key.

Steps 2 to 5 run in a worker thread, but for the decoding itself. When they take longer than `PAUSE_AFTER_S`
all partitions are paused and the main thread goes on polling, so slow work, a locked database or a broker
that is away never costs us our place in the group; what had been fetched is kept.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from enum import Enum
from typing import Any, Generic, TypeVar

import structlog
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, LogTruncationError, OffsetOutOfRangeError
from prometheus_client import CollectorRegistry

from streams.backoff import backoff_s
from streams.dead_letter import DeadLetter, deliver_dead_letters
from streams.decoded_batch import DecodedBatch
from streams.errors import CheckpointConflictError, RecordsRefusedError, TopicError
from streams.group_assignment import GroupAssignment
from streams.kafka_connection import is_passing, open_consumer
from streams.kafka_settings import KafkaSettings
from streams.record_producer import RecordProducer
from streams.stream_metrics import StreamMetrics
from streams.stream_task import OffsetRange, StreamTask

log = structlog.get_logger()

T = TypeVar("T")
W = TypeVar("W")
R = TypeVar("R")

POLL_MS = 200
"""How long a poll waits for records; also how long a stop may go unnoticed."""

PAUSE_AFTER_S = 1.0
"""How long the main thread waits for the worker before it polls again. Well below every session timeout, well
above a normal batch, for which pausing would only cost."""

PAUSED_POLL_MS = 50
"""How long a poll may take while all is paused: enough for a step of a rebalance."""

IDLE_AFTER_S = 1.0
"""How long no record must have come before the task is asked what can be closed."""

MAX_RECORD_BYTES = 1 << 20
"""A turn has about a kilobyte; a record a thousand times that is no turn, and not worth decoding."""

HEADER_BYTES = 16 << 10
"""Room that a dead letter leaves for its headers within the largest request."""

CLOSE_TIMEOUT_MS = 3_000
"""How long leaving the group may take; without it the session timeout does the same."""

_STOP_CHECK_S = 0.1


class Step(Enum):
    """The steps of the loop, in their order."""

    POLL = "poll"
    DECODE = "decode"
    PROCESS = "process"
    WRITE = "write"
    PRODUCE = "produce"
    COMMIT = "commit"


class _StopAskedError(Exception):
    """The loop was stopped while it waited out a failure."""


class _AssignmentGoneError(Exception):
    """The group changed our partitions while we waited out a failure."""


class _WorkFailedError(Exception):
    """The worker failed for good; tells its error from one of our connection to Kafka."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class ConsumerLoop(Generic[T, W]):
    """Reads a task's topic in its consumer group until it is stopped; see the module for the steps.

    Args:
        task: what the work is done for.
        settings: where Kafka is.
        metrics: to report to; shared by the loops of a process.
        max_record_bytes: a longer value becomes a dead letter without being decoded.
        idle_after_s: how long no record must have come before `task.idle` is called, and called again.
        on_step: called before each step, from the thread that takes it.
    """

    def __init__(
        self,
        task: StreamTask[T, W],
        settings: KafkaSettings,
        *,
        metrics: StreamMetrics | None = None,
        max_record_bytes: int = MAX_RECORD_BYTES,
        idle_after_s: float = IDLE_AFTER_S,
        on_step: Callable[[Step], None] = lambda step: None,
    ) -> None:
        self._task = task
        self._settings = settings
        self._metrics = StreamMetrics(CollectorRegistry()) if metrics is None else metrics
        self._max_record_bytes = max_record_bytes
        self._idle_after_s = idle_after_s
        self._on_step = on_step
        self._log = log.bind(task=task.name, topic=task.source_topic)
        self._seconds = {
            step: self._metrics.step_seconds.labels(task.name, step.value).observe for step in Step
        }
        # Not an Event: a signal handler may interrupt the very code that holds its lock.
        self._stopping = False
        self._producer = RecordProducer(settings)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix=task.name)
        self._pause_after_s = min(PAUSE_AFTER_S, settings.max_poll_interval_ms / 4_000)
        self._saved: dict[int, int | None] = {}  # by partition that the task holds: what it has saved
        self._places: dict[int, int] = {}  # by partition: the first offset that may come next
        self._failures = 0  # since it last went well

    def stop(self) -> None:
        """Asks the loop to finish its batch and return; from any thread, or from a signal handler."""
        self._stopping = True

    def run(self, until_idle: bool = False) -> None:
        """Runs until it is stopped; once.

        Args:
            until_idle: return when every partition that we own has been read to its end, and the task has
                closed what it could.

        Raises:
            TopicError: the topic does not exist.
            OffsetOrderError: records came in the wrong order.
            KafkaError: Kafka refuses us, and waiting does not help.
            Exception: what the task raised that is not retriable. The batch was not saved.
        """
        try:
            while not self._stopping:
                try:
                    return self._read(until_idle)
                except Exception as error:
                    if not is_passing(error):
                        raise
                    self._wait_out(error)
        except _StopAskedError:
            self._log.info("stopped while waiting out a failure; what was not saved will be read again")
        except _WorkFailedError as failure:
            raise failure.error from failure.error.__cause__
        finally:
            self._worker.shutdown()
            self._producer.close()

    def _read(self, until_idle: bool) -> None:
        """Works with one connection to Kafka, until we are stopped or it fails."""
        consumer = open_consumer(self._settings, self._task.name)
        try:
            if not consumer.partitions_for_topic(self._task.source_topic):
                raise TopicError(
                    f"there is no topic {self._task.source_topic} at {self._settings.bootstrap_servers}: "
                    "create it, or correct topic_prefix and topic_names"
                )
            self._assignment = GroupAssignment(consumer)
            consumer.subscribe([self._task.source_topic], listener=self._assignment)
            self._repeat(consumer, until_idle)
            self._commit(consumer, self._saved, wait_for_it=True)
            with suppress(_AssignmentGoneError):
                self._in_worker(consumer, lambda: self._forget(list(self._saved)))
        finally:
            consumer.close(timeout_ms=CLOSE_TIMEOUT_MS)

    def _repeat(self, consumer: KafkaConsumer, until_idle: bool) -> None:
        quiet_since = time.monotonic()
        while not self._stopping:
            try:
                with self._step(Step.POLL):  # 1. poll
                    polled = consumer.poll(POLL_MS)
            except (OffsetOutOfRangeError, LogTruncationError) as error:
                self._log.warning("the log has changed under us", reason=str(error))
                self._take_over(consumer)
                continue
            if self._assignment.received:
                self._metrics.rebalances.labels(self._task.name).inc()
                self._take_over(consumer)
            elif polled:
                self._batch(consumer, polled)
                quiet_since = time.monotonic()
            elif not self._assignment.settled:
                continue
            elif until_idle:
                if _at_end(consumer) and self._close_all(consumer):
                    return
            elif time.monotonic() - quiet_since >= self._idle_after_s:
                self._in_worker(consumer, self._close_idle)
                quiet_since = time.monotonic()

    def _close_all(self, consumer: KafkaConsumer) -> bool:
        while self._in_worker(consumer, self._close_idle):
            pass
        return not self._assignment.received

    def _batch(self, consumer: KafkaConsumer, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        with self._step(Step.DECODE):  # 2. decode
            batch = DecodedBatch(self._task, polled, self._places, self._max_record_bytes)
        ranges = {
            partition.partition: OffsetRange(self._saved[partition.partition], records[-1].offset + 1)
            for partition, records in polled.items()
        }
        if (conflict := self._in_worker(consumer, lambda: self._work(batch, ranges))) is not None:
            self._metrics.conflicts.labels(self._task.name).inc()
            self._wait_out(conflict)
            self._take_over(consumer)
            return
        self._places |= {partition: range_.next for partition, range_ in ranges.items()}
        self._metrics.batches.labels(self._task.name).inc()
        self._failures = 0
        with self._step(Step.COMMIT):  # 6. commit
            self._commit(consumer, {partition: range_.next for partition, range_ in ranges.items()})
        self._measure(consumer, polled)

    def _work(self, batch: DecodedBatch[T], ranges: Mapping[int, OffsetRange]) -> Exception | None:
        """Steps 2 (the dead letters) to 5; returns why the work was dropped, where others do it now."""

        def process_and_write() -> None:
            with self._step(Step.PROCESS):  # 3. process
                work = self._process(batch)
            with self._step(Step.WRITE):  # 4. write
                self._task.write(work, ranges)

        try:
            if batch.letters:
                self._retry(lambda: self._deliver(batch.letters))
            # The pair is repeated together: what process read may have changed since.
            self._retry(process_and_write)
        except (CheckpointConflictError, _AssignmentGoneError) as conflict:
            return conflict
        self._saved |= {partition: range_.next for partition, range_ in ranges.items()}
        self._produce()
        return None

    def _process(self, batch: DecodedBatch[T]) -> W:
        """What the task makes of a batch; records that it refuses go to the dead letters, once."""
        while True:
            try:
                return self._task.process(batch.items)
            except RecordsRefusedError as refused:
                self._deliver(batch.refused(refused))
                batch.without(refused)

    def _deliver(self, letters: list[DeadLetter]) -> None:
        whole_bytes = self._settings.max_request_bytes - HEADER_BYTES
        topic = self._settings.topics.dead_letters
        deliver_dead_letters(self._producer, letters, topic, whole_bytes, self._give_up)
        for (source, error), count in Counter((x.source.topic, x.error) for x in letters).items():
            self._metrics.decode_failures.labels(self._task.name, source, error).inc(count)
        self._log.warning(
            "records sent to the dead letters",
            records=len(letters),
            first=str(letters[0].source),
            error=letters[0].error,
            reason=letters[0].message,
        )

    def _produce(self) -> None:
        def produce_and_mark() -> None:
            with self._step(Step.PRODUCE):  # 5. produce
                if self._producer.deliver(self._task.outgoing(), self._give_up):
                    self._task.produced()

        try:
            self._retry(produce_and_mark)
        except _AssignmentGoneError:
            self._log.warning("records not produced yet: the partitions were taken from us while we waited")

    def _close_idle(self) -> bool:
        """Lets the task close what it can; whether there was something."""

        def process_and_write() -> bool:
            with self._step(Step.PROCESS):
                work = self._task.idle(time.time_ns() // 1_000_000)
            if work is None:
                return False
            ranges = {
                partition: OffsetRange(saved, saved)
                for partition, saved in self._saved.items()
                if saved is not None
            }
            with self._step(Step.WRITE):
                self._task.write(work, ranges)
            return True

        try:
            wrote = self._retry(process_and_write)
        except (CheckpointConflictError, _AssignmentGoneError) as error:
            self._log.warning("idle work dropped: the partitions are another worker's", reason=str(error))
            self._assignment.received = True  # find out where we are
            return False
        if wrote:
            self._produce()
        return wrote

    def _commit(
        self, consumer: KafkaConsumer, offsets: Mapping[int, int | None], *, wait_for_it: bool = False
    ) -> None:
        # Only observers read these offsets, so that a failure is no more than a line in the log.
        if not self._assignment.settled:
            return
        committed = {
            TopicPartition(self._task.source_topic, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in offsets.items()
            if offset is not None
        }
        try:
            if wait_for_it:
                consumer.commit(committed, timeout_ms=CLOSE_TIMEOUT_MS)
            elif committed:
                consumer.commit_async(committed)
        except KafkaError as error:
            self._log.info("the group did not hear how far we are", reason=str(error))

    def _take_over(self, consumer: KafkaConsumer) -> None:
        """Works on the partitions that we own now, from what the task has saved."""
        assignment = self._assignment
        assignment.received = False
        changes = assignment.changes
        partitions = sorted(consumer.assignment())
        try:
            self._in_worker(consumer, lambda: self._load([tp.partition for tp in partitions]))
        except _AssignmentGoneError:
            return
        if partitions:
            starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
            if assignment.changes != changes:
                return
            for partition in partitions:
                place = self._place(partition, starts[partition], ends[partition])
                consumer.seek(partition, place)
                self._places[partition.partition] = place
            consumer.resume(*partitions)
        assignment.settled = assignment.changes == changes
        places = {partition.partition: self._places[partition.partition] for partition in partitions}
        self._log.info("partitions taken over", places=places)

    def _load(self, owned: list[int]) -> None:
        saved = self._retry(lambda: self._task.start_offsets(owned))
        # Where the task's saved offset is the one we know, nobody else has written: its state is good.
        kept = {p for p in owned if p in self._saved and self._saved[p] == saved.get(p)}
        self._forget([partition for partition in self._saved if partition not in kept])
        if new := [partition for partition in owned if partition not in kept]:
            self._retry(lambda: self._task.assigned(new))
            self._saved |= {partition: saved.get(partition) for partition in new}
        self._produce()

    def _forget(self, partitions: list[int]) -> None:
        if partitions:
            self._retry(lambda: self._task.revoked(partitions))
        for partition in partitions:
            del self._saved[partition]
            labels = (self._task.name, self._task.source_topic, str(partition))
            self._metrics.lag_records.remove(*labels)

    def _place(self, partition: TopicPartition, start: int, end: int) -> int:
        saved = self._saved[partition.partition]
        if saved is None or start <= saved <= end:
            return start if saved is None else saved
        self._log.warning(
            "the log was made anew: reading it from its start"
            if saved > end
            else "records were deleted before they were read: going on with the first that is left",
            partition=partition.partition,
            saved=saved,
            start=start,
            end=end,
        )
        return start

    def _in_worker(self, consumer: KafkaConsumer, job: Callable[[], R]) -> R:
        """Runs a job in the worker thread; when it takes long, keeps our place in the group meanwhile.

        Raises:
            _WorkFailedError: from the error of the job, but for those by which the loop steers itself.
        """
        self._changes_at_start = self._assignment.changes
        future = self._worker.submit(job)
        wait([future], self._pause_after_s)
        if not future.done():
            paused = consumer.assignment() - consumer.paused()
            consumer.pause(*paused)
            while not future.done():
                try:
                    if consumer.poll(
                        PAUSED_POLL_MS
                    ):  # from partitions that are paused, so it must not happen
                        self._assignment.received = True
                except KafkaError as error:  # it can wait: the next poll of the loop meets it again
                    self._log.debug("poll failed while working", reason=str(error))
                wait([future], self._pause_after_s)
            if self._assignment.changes == self._changes_at_start:
                consumer.resume(*paused)
        try:
            return future.result()
        except (_StopAskedError, _AssignmentGoneError):
            raise
        except BaseException as error:
            raise _WorkFailedError(error) from error

    def _retry(self, attempt: Callable[[], R]) -> R:
        """Makes attempts, in the worker thread, until one succeeds or fails for good."""
        failures = 0
        while True:
            try:
                return attempt()
            except CheckpointConflictError:
                raise
            except Exception as error:
                if not (getattr(error, "retriable", False) is True or self._task.is_retriable(error)):
                    raise
                failures += 1
                self._wait_out(error, failures)
            if self._assignment.changes != self._changes_at_start:
                raise _AssignmentGoneError("the group took our partitions while we waited")

    def _give_up(self) -> bool:
        return self._stopping or self._assignment.changes != self._changes_at_start

    def _wait_out(self, error: Exception, failures: int | None = None) -> None:
        if failures is None:
            self._failures += 1
            failures = self._failures
        delay_s = round(backoff_s(failures), 2)
        self._metrics.retries.labels(self._task.name, type(error).__name__).inc()
        self._log.warning("waiting out a failure", reason=repr(error), failures=failures, delay_s=delay_s)
        deadline = time.monotonic() + delay_s
        while (left := deadline - time.monotonic()) > 0:
            if self._stopping:
                raise _StopAskedError
            time.sleep(min(left, _STOP_CHECK_S))

    def _measure(self, consumer: KafkaConsumer, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        name, topic = self._task.name, self._task.source_topic
        self._metrics.records.labels(name, topic).inc(sum(map(len, polled.values())))
        for partition in consumer.assignment() & polled.keys():
            end = consumer.highwater(partition)
            if end is not None:
                left = max(0, end - self._places[partition.partition])
                self._metrics.lag_records.labels(name, topic, str(partition.partition)).set(left)
        newest_ms = max(records[-1].timestamp for records in polled.values())
        self._metrics.event_lag_seconds.labels(name).set(max(0.0, time.time() - newest_ms / 1000))

    @contextmanager
    def _step(self, step: Step) -> Iterator[None]:
        self._on_step(step)
        started = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[step](time.perf_counter() - started)


def _at_end(consumer: KafkaConsumer) -> bool:
    partitions = list(consumer.assignment())
    ends = consumer.end_offsets(partitions) if partitions else {}
    return all(consumer.position(partition) >= ends[partition] for partition in partitions)
