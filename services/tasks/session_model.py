"""The session model task: sessions in; what a model says of them out, and sessions of which more is known.

A session record says that a session has changed, and what it is now is read from the store. It is judged
outside the transactions, by the model in use of its assistant; where there is none, nothing is said of it
until there is one, and the job that has trained it judges all sessions.

Where verdicts are of turns, a record for each turn of which something else is said goes to their topic after
it is written, and one without a value for each turn of which nothing is said any more. Where those who learn
from sessions make something else of a session with its verdict, its record goes to the sessions topic again:
they take the verdict into account, and this task, which has judged just these turns by the same model
already, passes over it. What was written and not announced is announced after a crash; so is what others have
written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from sqlalchemy import Connection, Engine

from services.session_models.announcing import announcements
from services.session_models.effect import Effect
from services.session_models.in_use import CurrentModels
from services.session_models.judging import JudgedBatch, SessionJudge, as_they_are
from services.session_models.kind import SessionModelKind, TurnVerdicts
from services.tasks.database import DatabaseTask
from streams.session import SessionId
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_notice import drop_notices, note_sessions, noted_sessions
from streams.stores.session_store import lock_sessions
from streams.stores.turn_store import TurnChange
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics

CHANGES_AT_A_TIME = 5_000
"""Turns announced together, 5 MB. Raised, more memory after all was judged anew; lowered, more round trips
to the broker."""

M = TypeVar("M")
V = TypeVar("V")


class SessionModelTask(DatabaseTask, Generic[M, V]):
    """Reads sessions, keeps what a model says of them, and publishes it."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        kind: SessionModelKind[M, V],
        models: CurrentModels[M],
        effect: Effect[V],
    ) -> None:
        super().__init__(kind.name, topics.sessions, engine)
        self._kind = kind
        self._topics = topics
        self._effect = effect
        self._judge = SessionJudge(engine, kind, models)
        self._published: list[TurnChange[Any]] = []
        self._announced: list[SessionId] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._published = []
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
        """Stores verdicts, what becomes of them, which sessions are to be announced, and offsets."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets)
            lock_sessions(connection, alone=self._effect.alone)
            known = self._kind.known(connection, [record.session_id for record in work.records])
            judged, void = as_they_are(connection, work, known)
            changed = self._effect.keep(connection, judged, void)
            note_sessions(connection, self.name, changed, work.partitions)
        self._judge.forget()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Turns of which something else is said, and sessions of which something else is learned then."""
        self._published, self._announced = [], []
        turns = self._kind.turns
        if turns is not None:
            with reading(self._engine) as connection:
                if self._publishes(connection, turns):
                    self._published = turns.store.changes(connection, CHANGES_AT_A_TIME)
            for change in self._published:
                value = None if change.record is None else msgspec.json.encode(change.record)
                yield OutgoingRecord(topic=turns.topic(self._topics), key=change.key.encode(), value=value)
        with reading(self._engine) as connection:
            noted = noted_sessions(connection, self.name, self._partitions)
        self._announced = [session.session_id for session in noted]
        yield from announcements(self._engine, self.source_topic, noted)

    def produced(self) -> None:
        """Marks them as announced."""
        if self._published or self._announced:
            with self._engine.begin() as connection:
                if self._kind.turns is not None:
                    self._kind.turns.store.mark_announced(connection, self._published)
                drop_notices(connection, self.name, self._announced)
        self._published, self._announced = [], []

    def idle(self, now_ms: int) -> JudgedBatch[V] | None:
        """Publishes what is left, and brings up to date what others have changed."""
        with reading(self._engine) as connection:
            turns = self._kind.turns
            waits = (
                turns is not None
                and self._publishes(connection, turns)
                and turns.store.has_changes(connection)
            )
            return JudgedBatch(()) if waits or self._effect.is_stale(connection) else None

    def _publishes(self, connection: Connection, turns: TurnVerdicts) -> bool:
        """Whether this worker publishes turns: one does, as two could leave an older record as the last."""
        return self._holds_first and turns.store.are_published(connection)
