"""Dead letters: records that could not be decoded, kept with the reason and where they came from.

A dead letter carries the original key, value and headers; what we add is in headers of our own. A value that
the dead-letter topic does not take is cut off, and says so; the whole of it is still at its source.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from msgspec import Struct, structs

from streams.errors import DeadLetterError, DeliveryError, TopicError
from streams.kafka_connection import open_consumer
from streams.kafka_settings import KafkaSettings
from streams.record_producer import RecordProducer
from streams.stream_task import OutgoingRecord

log = structlog.get_logger()

HEADER_PREFIX = "rehear-dead-letter-"

CUT_BYTES = 64 << 10
"""What is kept of a value that is too large: enough to see what it is, below every broker's limit."""

MESSAGE_CHARS = 1_000
"""What is kept of an error message: it may quote the record, which can be large."""

REPLAY_BATCH = 500
"""Dead letters that are sent back before waiting for the broker."""

READ_TIMEOUT_S = 30.0
"""How long reading may stand still before it is given up."""

_POLL_MS = 500
_NULL_KEY, _NULL_VALUE = "null-key", "null-value"


class Source(Struct, frozen=True, order=True):
    """Where a record was read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class DeadLetter(Struct, frozen=True, kw_only=True):
    """A record that could not be decoded, or that its task could not take."""

    source: Source
    key: bytes | None
    value: bytes | None  # None: it had none
    headers: tuple[tuple[str, bytes], ...] = ()  # its own
    timestamp_ms: int = -1  # its own, milliseconds since 1970; -1 where it has none
    error: str  # class of the error
    message: str
    task: str  # that read it
    original_bytes: int  # length of the value at its source; larger than what is here when it is cut off

    @property
    def truncated(self) -> bool:
        """Whether the value is only the beginning of the original."""
        return self.original_bytes > len(self.value or b"")

    def cut(self) -> "DeadLetter":
        """The same, with the first `CUT_BYTES` of the value."""
        return self if self.value is None else structs.replace(self, value=self.value[:CUT_BYTES])


def dead_letter(record: Any, error: Exception, task: str) -> DeadLetter:
    """Makes a dead letter of a `kafka` ConsumerRecord and why it could not be used."""
    return DeadLetter(
        source=Source(record.topic, record.partition, record.offset),
        key=record.key,
        value=record.value,
        headers=tuple((name, value or b"") for name, value in record.headers or ()),
        timestamp_ms=record.timestamp,
        error=type(error).__name__,
        message=str(error)[:MESSAGE_CHARS],
        task=task,
        original_bytes=len(record.value or b""),
    )


def encode_dead_letter(letter: DeadLetter, topic: str) -> OutgoingRecord:
    """The record to produce to the dead-letter topic."""
    ours = {
        "error": letter.error,
        "message": letter.message,
        "task": letter.task,
        "topic": letter.source.topic,
        "partition": str(letter.source.partition),
        "offset": str(letter.source.offset),
        "timestamp-ms": str(letter.timestamp_ms),
        "original-bytes": str(letter.original_bytes),
    }
    # Kafka has no record without key and value, and a missing value would ask for deletion.
    if letter.key is None:
        ours[_NULL_KEY] = "1"
    if letter.value is None:
        ours[_NULL_VALUE] = "1"
    headers = tuple(
        (HEADER_PREFIX + name, text.encode(errors="backslashreplace")) for name, text in ours.items()
    )
    value = b"" if letter.value is None else letter.value
    return OutgoingRecord(topic=topic, key=letter.key, value=value, headers=letter.headers + headers)


def decode_dead_letter(record: Any) -> DeadLetter:
    """Reads a `kafka` ConsumerRecord of the dead-letter topic.

    Raises:
        DeadLetterError: it is not one of ours, or has been damaged.
    """
    own = [(name, value) for name, value in record.headers or () if not name.startswith(HEADER_PREFIX)]
    ours = {
        name.removeprefix(HEADER_PREFIX): (value or b"").decode(errors="replace")
        for name, value in record.headers or ()
        if name.startswith(HEADER_PREFIX)
    }
    try:
        return DeadLetter(
            source=Source(ours["topic"], int(ours["partition"]), int(ours["offset"])),
            key=None if _NULL_KEY in ours else record.key,
            value=None if _NULL_VALUE in ours else record.value,
            headers=tuple((name, value or b"") for name, value in own),
            timestamp_ms=int(ours["timestamp-ms"]),
            error=ours["error"],
            message=ours["message"],
            task=ours["task"],
            original_bytes=int(ours["original-bytes"]),
        )
    except (KeyError, ValueError) as error:
        raise DeadLetterError(
            f"{record.topic}[{record.partition}]@{record.offset} is not a dead letter: header {error}"
        ) from error


def deliver_dead_letters(
    producer: RecordProducer,
    letters: Collection[DeadLetter],
    topic: str,
    whole_bytes: int,
    give_up: Callable[[], bool] = lambda: False,
) -> None:
    """Produces dead letters; when it returns the broker has them.

    Args:
        producer: to produce with.
        letters: in their order.
        topic: the dead-letter topic.
        whole_bytes: longest value to send as it is. A shorter one is cut off too if the broker refuses it.
        give_up: as for `RecordProducer.deliver`.

    Raises:
        DeliveryError: they are not all there.
        KafkaUnreachableError: no server answers.
    """
    small = []
    for letter in letters:
        if len(letter.value or b"") <= CUT_BYTES:
            small.append(encode_dead_letter(letter, topic))
            continue
        # A large one goes alone: the broker's refusal must not touch the others.
        try:
            if letter.original_bytes > whole_bytes:
                letter = letter.cut()
            producer.deliver([encode_dead_letter(letter, topic)], give_up)
        except DeliveryError as error:
            if not error.too_large:
                raise
            log.warning("dead letter cut off", source=str(letter.source), bytes=letter.original_bytes)
            producer.deliver([encode_dead_letter(letter.cut(), topic)], give_up)
    producer.deliver(small, give_up)


def read_dead_letters(settings: KafkaSettings) -> Iterator[DeadLetter]:
    """Yields the dead letters that are there now, partition by partition; passes over foreign records.

    Raises:
        KafkaUnreachableError: no server answers.
        TopicError: there is no dead-letter topic, or reading it stands still.
    """
    consumer = open_consumer(settings)
    try:
        for record in _read_to_end(consumer, settings.topics.dead_letters):
            try:
                yield decode_dead_letter(record)
            except DeadLetterError as error:
                log.warning("record passed over", reason=str(error))
    finally:
        consumer.close()


class Selection(Struct, frozen=True, kw_only=True):
    """Which dead letters: those that agree with everything that is given."""

    errors: frozenset[str] | None = None  # classes of errors
    topic: str | None = None  # of the source
    partition: int | None = None
    first_offset: int | None = None  # inclusive
    last_offset: int | None = None  # inclusive

    def __contains__(self, letter: DeadLetter) -> bool:
        source = letter.source
        return (
            (self.errors is None or letter.error in self.errors)
            and (self.topic is None or source.topic == self.topic)
            and (self.partition is None or source.partition == self.partition)
            and (self.first_offset is None or source.offset >= self.first_offset)
            and (self.last_offset is None or source.offset <= self.last_offset)
        )


class ReplayReport(Struct, frozen=True):
    """What a replay did; counts by class of error."""

    replayed: Mapping[str, int]
    not_replayable: Mapping[str, int]  # cut off, and no longer at their source
    repeated: int  # dead letters of a source that had been replayed already in this run
    passed_over: int  # not selected


def replay_dead_letters(
    settings: KafkaSettings, selection: Selection | None = None, *, dry_run: bool = False
) -> ReplayReport:
    """Sends dead letters back to where they came from, to be read again, each source once.

    The record gets its own key, value, headers and time, and its own partition, so that a user's turns stay
    together. The dead letters stay: a second replay sends them again.

    Args:
        settings: where.
        selection: which; all without it.
        dry_run: counts only.

    Raises:
        KafkaUnreachableError: no server answers.
        TopicError: there is no dead-letter topic, or reading stands still.
        DeliveryError: the broker refuses a record.
    """
    chosen = Selection() if selection is None else selection
    replayed: Counter[str] = Counter()
    not_replayable: Counter[str] = Counter()
    repeated = passed_over = 0
    seen: set[Source] = set()
    batch: list[OutgoingRecord] = []
    producer = RecordProducer(settings)
    try:
        for letter in read_dead_letters(settings):
            if letter not in chosen:
                passed_over += 1
                continue
            if letter.source in seen:
                repeated += 1
                continue
            seen.add(letter.source)
            record = _original(settings, letter)
            if record is None:
                not_replayable[letter.error] += 1
                log.warning("not replayable: cut off, and gone from its source", source=str(letter.source))
                continue
            replayed[letter.error] += 1
            if not dry_run:
                batch.append(record)
                if len(batch) == REPLAY_BATCH or len(record.value or b"") > CUT_BYTES:
                    producer.deliver(batch)
                    batch.clear()
        producer.deliver(batch)
    finally:
        producer.close()
    return ReplayReport(dict(replayed), dict(not_replayable), repeated, passed_over)


def _original(settings: KafkaSettings, letter: DeadLetter) -> OutgoingRecord | None:
    """What was at the source; None when it was cut off and the source no longer has it."""
    value = letter.value
    if letter.truncated:
        value = _read_source(settings, letter)
        if value is None:
            return None
    if value is None and letter.key is None:
        return None  # Kafka's client does not send what has neither key nor value
    return OutgoingRecord(
        topic=letter.source.topic,
        key=letter.key,
        value=value,
        headers=letter.headers,
        timestamp_ms=letter.timestamp_ms if letter.timestamp_ms >= 0 else None,
        partition=letter.source.partition,
    )


def _read_source(settings: KafkaSettings, letter: DeadLetter) -> bytes | None:
    source = letter.source
    consumer = open_consumer(settings)
    try:
        partition = TopicPartition(source.topic, source.partition)
        if source.partition not in consumer.partitions_for_topic(source.topic):
            return None
        start, end = consumer.beginning_offsets([partition]), consumer.end_offsets([partition])
        if not start[partition] <= source.offset < end[partition]:
            return None
        consumer.assign([partition])
        consumer.seek(partition, source.offset)
        deadline = time.monotonic() + READ_TIMEOUT_S
        while time.monotonic() < deadline:
            for records in consumer.poll(_POLL_MS, max_records=1).values():
                value: bytes | None = records[0].value
                # A topic that was made anew has another record there.
                same = records[0].offset == source.offset and len(value or b"") == letter.original_bytes
                return value if same else None
    finally:
        consumer.close()
    raise TopicError(f"{source} could not be read within {READ_TIMEOUT_S:.0f} s")


def _read_to_end(consumer: KafkaConsumer, topic: str) -> Iterator[Any]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise TopicError(f"there is no topic {topic}: create it, or correct topic_prefix and topic_names")
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    starts, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    for partition in partitions:
        if starts[partition] >= ends[partition]:
            continue
        consumer.assign([partition])
        consumer.seek(partition, starts[partition])
        deadline = time.monotonic() + READ_TIMEOUT_S
        while consumer.position(partition) < ends[partition]:
            for records in consumer.poll(_POLL_MS).values():
                deadline = time.monotonic() + READ_TIMEOUT_S
                yield from (record for record in records if record.offset < ends[partition])
            if time.monotonic() > deadline:
                raise TopicError(f"reading {topic}[{partition.partition}] stands still")
