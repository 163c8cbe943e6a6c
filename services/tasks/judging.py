"""What tasks share that ask a model about sessions: sessions in, what is said of their turns out.

A session record says that a session has changed, and what it is now is read from the store. It is judged
outside the transactions, by the model in use of its assistant; where there is none, nothing is said of it
until there is one, and the job that has trained it judges all sessions. A record for each turn of which
something else is said goes to the topic after it is written, and one without a value for each turn of which
nothing is said any more. What was written and not announced is announced after a crash; so is what others
have written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from services.session_models.judging import JudgedBatch, SessionJudge, as_they_are
from services.tasks.database import DatabaseTask
from streams.session import SessionId
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import lock_sessions
from streams.stores.turn_store import TurnChange, TurnStore
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.verdict import Judged

CHANGES_AT_A_TIME = 5_000
"""Turns announced together, 5 MB. Raised, more memory after all was judged anew; lowered, more round trips
to the broker."""

V = TypeVar("V")


class JudgingTask(DatabaseTask, Generic[V]):
    """Reads sessions, keeps what a model says of their turns, and publishes it.

    Those below it say how it is kept: `_keep`.

    Args:
        name: of the task.
        source_topic: of the sessions.
        topic: of what is said of turns.
        engine: of the database.
        store: of what is said.
        judge: asks the model.
        alone: whether nobody else may change sessions while something is written.
    """

    def __init__(
        self,
        name: str,
        source_topic: str,
        topic: str,
        engine: Engine,
        store: TurnStore[Any],
        judge: SessionJudge[Any, V],
        *,
        alone: bool = False,
    ) -> None:
        super().__init__(name, source_topic, engine)
        self._topic = topic
        self._store = store
        self._judge = judge
        self._alone = alone
        self._announced: list[TurnChange[Any]] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._announced = []
        self._judge.forget()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> JudgedBatch[V]:
        """Judges the sessions that have changed since they were judged, or were judged by another model.

        Raises:
            RecordsRefusedError: some name sessions that cannot be judged.
        """
        return self._judge.process(items)

    def write(self, work: JudgedBatch[V], offsets: Mapping[int, OffsetRange]) -> None:
        """Stores what is said, and offsets."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets)
            lock_sessions(connection, alone=self._alone)
            known = self._store.known(connection, [record.session_id for record in work.records])
            judged, void = as_they_are(connection, work, known)
            self._keep(connection, judged, void, work.partitions)
        self._judge.forget()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Turns of which something else is said.

        From one worker: two could leave an older record as the last.
        """
        self._announced = []
        with reading(self._engine) as connection:
            if self._publishes(connection):
                self._announced = self._store.changes(connection, CHANGES_AT_A_TIME)
        for change in self._announced:
            value = None if change.record is None else msgspec.json.encode(change.record)
            yield OutgoingRecord(topic=self._topic, key=change.key.encode(), value=value)

    def produced(self) -> None:
        """Marks them as announced."""
        if self._announced:
            with self._engine.begin() as connection:
                self._store.mark_announced(connection, self._announced)
        self._announced = []

    def idle(self, now_ms: int) -> JudgedBatch[V] | None:
        """Announces what is left, and what others have written: files learned, users forgotten."""
        with reading(self._engine) as connection:
            waiting = self._publishes(connection) and self._store.has_changes(connection)
        return JudgedBatch(()) if waiting else None

    def _keep(
        self,
        connection: Connection,
        judged: Sequence[Judged[V]],
        void: Sequence[SessionId],
        partitions: Mapping[SessionId, int],
    ) -> None:
        """Stores what is said.

        Args:
            connection: in the transaction that writes.
            judged: sessions as they are, and what is said of them.
            void: sessions of which what was said holds no more.
            partitions: that the sessions came from.
        """
        raise NotImplementedError

    def _publishes(self, connection: Connection) -> bool:
        return self._holds_first and self._store.are_published(connection)
