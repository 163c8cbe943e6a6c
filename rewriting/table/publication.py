"""Publication of the rewrite table: what a compacted topic is told, and how much of it has been told.

The database is written first and the topic after it, so a crash between the two leaves versions that are not
published yet. They are found by the mark at the next start, and published then; what is published twice is
the same record with the same key. One process at a time may publish to a topic.
"""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import structlog
from msgspec import Struct
from sqlalchemy import Engine, select

from rewriting.table.rewrite import TableVersion
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.schema import PUBLICATION_MARKS
from rewriting.table.table_snapshot import TableDelta
from streams.stores.database_schema import reading, upsert
from streams.turn import AssistantId

log = structlog.get_logger()

_ENCODER: Final = msgspec.json.Encoder()
_WITHHELD: Final = ("blocked", "retired")


class RewriteRecord(Struct, frozen=True):
    """One record of the compacted topic."""

    key: bytes  # the rewrite's id
    value: bytes | None  # the row as JSON; None deletes what the topic has under the key


class UnpublishedChanges(Struct, frozen=True):
    """What the topic has to be told about one assistant's table to agree with one of its versions."""

    assistant_id: AssistantId
    version: TableVersion
    records: tuple[RewriteRecord, ...]  # one for each key


def records_of(delta: TableDelta) -> tuple[RewriteRecord, ...]:
    """The records that carry a change of the table: rows that may be used, deletions for all others."""
    changed = (
        RewriteRecord(
            rewrite.rewrite_id.encode(),
            None if rewrite.status in _WITHHELD else _ENCODER.encode(rewrite),
        )
        for rewrite in delta.rewrites
    )
    return (*changed, *(RewriteRecord(rewrite_id.encode(), None) for rewrite_id in delta.forgotten))


class RewritePublication:
    """How much of the rewrite table one topic has.

    A loop that publishes: for each of `unpublished()`, send its records, wait until the broker has all of
    them, then `mark_published` its version.
    """

    def __init__(self, engine: Engine, table: RewriteTable, topic: str, clock_ms: Callable[[], int]) -> None:
        self._engine = engine
        self._table = table
        self._topic = topic
        self._clock_ms = clock_ms

    def published(self) -> dict[AssistantId, TableVersion]:
        """The version of each assistant's table that the topic has; without those that it has nothing of."""
        marks = PUBLICATION_MARKS.c
        statement = select(marks.assistant_id, marks.version).where(marks.topic == self._topic)
        with reading(self._engine) as connection:
            rows = connection.execute(statement)
            return {AssistantId(assistant_id): TableVersion(version) for assistant_id, version in rows}

    def unpublished(self) -> Iterator[UnpublishedChanges]:
        """What the topic lacks, assistant by assistant; nothing where it has the newest versions.

        Where the topic is ahead of the table (the database was restored from a copy), the whole table is
        unpublished again.
        """
        published = self.published()
        for assistant_id, version in sorted(self._table.versions().items()):
            since = published.get(assistant_id, TableVersion(0))
            if since == version:
                continue
            if since > version:
                log.warning(
                    "topic is ahead of the table, publishing all of it again",
                    assistant_id=assistant_id,
                    topic=self._topic,
                    published=since,
                    version=version,
                )
                since = TableVersion(0)
            delta = self._table.changes(assistant_id, since)
            yield UnpublishedChanges(assistant_id, delta.version, records_of(delta))

    def mark_published(self, assistant_id: AssistantId, version: TableVersion) -> None:
        """Says that the broker has every record up to this version."""
        mark = {
            "topic": self._topic,
            "assistant_id": assistant_id,
            "version": version,
            "published_ms": self._clock_ms(),
        }
        with self._engine.begin() as connection:
            upsert(connection, PUBLICATION_MARKS, [mark])
