"""Checkpoints: up to where each task has read, saved in the transaction that saves what it learned.

The saved offset, not the one that the consumer group has committed, says where a task goes on.
"""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    String,
    Table,
    and_,
    insert,
    select,
    update,
)

from streams.errors import CheckpointConflictError
from streams.stores.database_schema import METADATA
from streams.stream_task import OffsetRange

CHECKPOINT = Table(
    "checkpoint",
    METADATA,
    Column("task", String(100), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition_number", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("latest_event_ms", BigInteger, nullable=False),  # of all turns so far, milliseconds since 1970
)


def saved_offsets(connection: Connection, task: str, topic: str) -> dict[int, int]:
    """The saved offset of each partition that has one."""
    return _by_partition(connection, CHECKPOINT.c.next_offset, task, topic)


def has_read(connection: Connection, task: str) -> bool:
    """Whether a task has ever saved an offset, of whatever topic."""
    query = select(CHECKPOINT.c.next_offset).where(CHECKPOINT.c.task == task).limit(1)
    return connection.execute(query).first() is not None


def latest_events(connection: Connection, task: str, topic: str) -> dict[int, int]:
    """The latest event time that was seen in each partition, milliseconds since 1970."""
    return _by_partition(connection, CHECKPOINT.c.latest_event_ms, task, topic)


def save_offsets(
    connection: Connection,
    task: str,
    topic: str,
    offsets: Mapping[int, OffsetRange],
    latest_event_ms: Mapping[int, int] | None = None,
) -> None:
    """Saves offsets, each only if it still is what we expect.

    Raises:
        CheckpointConflictError: another worker has saved a partition since; the transaction must not commit.
    """
    known = latest_events(connection, task, topic)
    for partition, offset in sorted(offsets.items()):
        event_ms = max(known.get(partition, 0), (latest_event_ms or {}).get(partition, 0))
        if offset.expected is None:
            taken = partition in known
            if not taken:
                connection.execute(
                    insert(CHECKPOINT).values(
                        task=task,
                        topic=topic,
                        partition_number=partition,
                        next_offset=offset.next,
                        latest_event_ms=event_ms,
                    )
                )
        else:
            done = connection.execute(
                update(CHECKPOINT)
                .where(
                    _of(task, topic),
                    CHECKPOINT.c.partition_number == partition,
                    CHECKPOINT.c.next_offset == offset.expected,
                )
                .values(next_offset=offset.next, latest_event_ms=event_ms)
            )
            taken = done.rowcount != 1
        if taken:
            raise CheckpointConflictError(
                f"{task}: {topic}[{partition}] is no longer at offset {offset.expected}: "
                "another worker has gone on with it"
            )


def _by_partition(connection: Connection, column: Column[int], task: str, topic: str) -> dict[int, int]:
    query = select(CHECKPOINT.c.partition_number, column).where(_of(task, topic))
    return {partition: value for partition, value in connection.execute(query)}


def _of(task: str, topic: str) -> ColumnElement[bool]:
    return and_(CHECKPOINT.c.task == task, CHECKPOINT.c.topic == topic)
