"""What a consumer loop does its work for: a task that reads one topic and keeps its state and offsets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

T = TypeVar("T")
W = TypeVar("W")


class Received(Struct, Generic[T], frozen=True, gc=False):
    """A decoded record and where it was."""

    value: T
    partition: int
    offset: int
    timestamp_ms: int  # the record's, milliseconds since 1970; -1 where it has none


class OffsetRange(Struct, frozen=True):
    """What a write does to the saved offset of one partition."""

    expected: int | None  # what is saved now, as we know it; None: nothing. Another value: another wrote
    next: int  # to save: the offset after the last record; below `expected` only when the topic was recreated


class OutgoingRecord(Struct, frozen=True, kw_only=True):
    """A record to produce."""

    topic: str
    key: bytes | None
    value: bytes | None  # None withdraws the key from a compacted topic
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int | None = None  # milliseconds since 1970; None: now
    partition: int | None = None  # None: by the key


class StreamTask(Protocol[T, W]):
    """A task that reads one topic.

    It saves state, results and offsets together; what it has saved, not what the group has committed, says
    where it goes on. All methods but `decode` are called in one thread, never two at a time. Any of these may
    raise: an error that is retriable (its attribute `retriable` is true, or `is_retriable` says so) is tried
    again for as long as it takes, any other stops the loop.
    """

    @property
    def name(self) -> str:
        """Of the consumer group, after the group prefix, and in logs and metrics."""
        ...

    @property
    def source_topic(self) -> str:
        """The topic to read."""
        ...

    def start_offsets(self, partitions: Sequence[int]) -> Mapping[int, int | None]:
        """The saved offset of each partition; None or missing: nothing saved, start at the earliest."""
        ...

    def assigned(self, partitions: Sequence[int]) -> None:
        """These partitions are ours now, or were written to by another worker: load their state."""
        ...

    def revoked(self, partitions: Sequence[int]) -> None:
        """What is held of these partitions is no longer valid: forget it; there is nothing left to save."""
        ...

    def decode(self, value: bytes | None) -> T:
        """The value of one record. What it raises makes the record a dead letter; it touches nothing."""
        ...

    def process(self, items: Sequence[Received[T]]) -> W:
        """Works out what the records change. It may read the state; it changes nothing.

        Args:
            items: in the order of each partition; none, when no record of the batch could be decoded.

        Raises:
            RecordsRefusedError: it cannot take some of them. These become dead letters, and it is asked again
                with the others.
        """
        ...

    def write(self, work: W, offsets: Mapping[int, OffsetRange]) -> None:
        """Saves state, results and offsets in one transaction.

        Args:
            work: from `process` or `idle`.
            offsets: by partition; after `idle` with `next` equal to `expected`.

        Raises:
            CheckpointConflictError: the saved offset of a partition is not the expected one.
        """
        ...

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """What has been written to be produced and is not marked as produced, in its order.

        Also asked for after each assignment, so that what a crash left behind is produced.
        """
        ...

    def produced(self) -> None:
        """Marks as produced what the last `outgoing` gave: the broker has all of it."""
        ...

    def idle(self, now_ms: int) -> W | None:
        """No record has come for a while: work out what can be closed now; None when there is nothing.

        Args:
            now_ms: wall clock, milliseconds since 1970.
        """
        ...

    def is_retriable(self, error: Exception) -> bool:
        """Whether an error that does not say so itself will pass, such as a database that is locked."""
        ...
