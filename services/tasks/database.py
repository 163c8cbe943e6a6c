"""What all tasks share: they keep their offsets in the database, and know which partitions are theirs."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine

from services.platform.database import is_retriable
from streams.stores.checkpoint import save_offsets, saved_offsets
from streams.stores.database_schema import reading
from streams.stream_task import OffsetRange

FIRST_PARTITION = 0


class DatabaseTask:
    """The base of the tasks: a part of `streams.stream_task.StreamTask`.

    Args:
        name: of the task, under which its offsets are saved.
        source_topic: the topic that it reads.
        engine: of the database.
    """

    def __init__(self, name: str, source_topic: str, engine: Engine) -> None:
        self.name = name
        self.source_topic = source_topic
        self._engine = engine
        self._partitions: set[int] = set()  # that are ours

    @property
    def _holds_first(self) -> bool:
        """Whether the first partition is ours: who has it does what one worker is to do for all of them."""
        return FIRST_PARTITION in self._partitions

    def start_offsets(self, partitions: Sequence[int]) -> Mapping[int, int | None]:
        """The saved offsets."""
        with reading(self._engine) as connection:
            saved = saved_offsets(connection, self.name, self.source_topic)
        return {partition: saved.get(partition) for partition in partitions}

    def assigned(self, partitions: Sequence[int]) -> None:
        """Notes that they are ours."""
        self._partitions.update(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        """Notes that they are others'."""
        self._partitions.difference_update(partitions)

    def is_retriable(self, error: Exception) -> bool:
        """A database that is locked or gone."""
        return is_retriable(error)

    def _save_offsets(
        self,
        connection: Connection,
        offsets: Mapping[int, OffsetRange],
        latest_event_ms: Mapping[int, int] | None = None,
    ) -> None:
        save_offsets(connection, self.name, self.source_topic, offsets, latest_event_ms)
