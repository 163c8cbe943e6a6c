"""A decoded batch: the records of one poll as a task gets them, and those that it does not get."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from kafka import TopicPartition

from streams.dead_letter import DeadLetter, dead_letter
from streams.errors import OffsetOrderError, RecordSizeError, RecordsRefusedError
from streams.stream_task import Received, StreamTask

T = TypeVar("T")
W = TypeVar("W")


class DecodedBatch(Generic[T]):
    """Records that could be decoded, and dead letters of those that could not.

    Args:
        task: decodes the records.
        polled: from `KafkaConsumer.poll`.
        places: by partition the first offset that may come next.
        max_record_bytes: a longer value becomes a dead letter without being decoded.

    Raises:
        OffsetOrderError: records came in the wrong order.
    """

    def __init__(
        self,
        task: StreamTask[T, Any],
        polled: Mapping[TopicPartition, Sequence[Any]],
        places: Mapping[int, int],
        max_record_bytes: int,
    ) -> None:
        self.items: list[Received[T]] = []
        self.letters: list[DeadLetter] = []
        self._task_name = task.name
        self._polled = polled
        decode = task.decode
        for partition, records in polled.items():
            number, first, last = partition.partition, records[0].offset, records[-1].offset
            # A saved offset makes all below it read: one mixed-up answer would lose records for good.
            if first < places[number] or last - first < len(records) - 1:
                raise OffsetOrderError(
                    f"{partition.topic}[{number}] gave {len(records)} records, {first} to {last}, when "
                    f"{places[number]} was to come next. Nothing was saved; start the worker again"
                )
            for record in records:
                value = record.value
                try:
                    if value is not None and len(value) > max_record_bytes:
                        raise RecordSizeError(f"{len(value)} bytes; at most {max_record_bytes} are decoded")
                    self.items.append(Received(decode(value), number, record.offset, record.timestamp))
                except Exception as error:  # nothing in one record may hold up the others
                    self.letters.append(dead_letter(record, error, self._task_name))

    def refused(self, refused: RecordsRefusedError) -> list[DeadLetter]:
        """Dead letters of the records that the task refuses.

        Raises:
            RecordsRefusedError: the same, where it names records that are not among the items: the task would
                refuse them for ever.
        """
        if not refused.refusals or refused.refusals.keys() - {_place(item) for item in self.items}:
            raise refused
        return [
            dead_letter(record, refused.refusals[partition.partition, record.offset], self._task_name)
            for partition, records in self._polled.items()
            for record in records
            if (partition.partition, record.offset) in refused.refusals
        ]

    def without(self, refused: RecordsRefusedError) -> None:
        """Takes out the items that the task refuses."""
        self.items = [item for item in self.items if _place(item) not in refused.refusals]


def _place(item: Received[T]) -> tuple[int, int]:
    return item.partition, item.offset
