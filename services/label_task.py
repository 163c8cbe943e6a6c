"""The label task: sessions in, labels of their turns out.

A session record says that a session has changed, and what it is now is read from the store. It is labelled
outside the transactions, by the model in use of its assistant; where there is none, nothing is said of it
until there is one, and the job that has trained it labels all sessions. A record for each turn whose labels
have changed goes to the topic after they are written, and one without a value for each turn that has none any
more. What was written and not announced is announced after a crash; so is what others have written.

Where chains and requests go by defects and make something else of a session with its labels, it is announced
by its record, on the topic that it came from: those who read it take the labels into account, and this task,
which has labelled just these turns by the same model already, passes over it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Engine

from labeling.errors import LabelInputError
from labeling.label_store import (
    PUBLISHING_TASK,
    LabelChange,
    SessionLabels,
    are_published,
    drop_labels,
    has_label_changes,
    label_changes,
    labelled_sessions,
    mark_announced,
    store_labels,
)
from labeling.turn_label import LabelGenerator, TurnLabel
from rewriting.evidence_settings import EvidenceSettings
from services.current_models import CurrentModels
from services.database_task import DatabaseTask
from services.label_generation import label_sessions
from services.session_announcing import announcements
from services.session_judging import JudgedBatch, SessionJudge, as_they_are
from services.stored_evidence import learned_from, stored_evidence
from streams.database_schema import reading
from streams.session import Session, SessionId
from streams.session_notice import drop_notices, note_sessions, noted_sessions
from streams.session_record import SessionRecord, decode_session
from streams.session_store import lock_sessions
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics

TASK = PUBLISHING_TASK

CHANGES_AT_A_TIME = 5_000
"""Turns announced together, 5 MB. Raised, more memory after all was labelled anew; lowered, more round trips
to the broker."""

_Labels = list[TurnLabel]


class LabelTask(DatabaseTask):
    """Reads sessions, keeps the labels of their turns, and publishes them."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        generators: CurrentModels[LabelGenerator],
        clock_ms: Callable[[], int],
        evidence: EvidenceSettings | None = None,
    ) -> None:
        super().__init__(TASK, topics.sessions, engine)
        self._labels_topic = topics.labels
        self._clock_ms = clock_ms
        self._evidence = evidence or EvidenceSettings()
        self._judge = SessionJudge[LabelGenerator, _Labels](
            engine, generators, label_sessions, LabelInputError, labelled_sessions
        )
        self._announced: list[LabelChange] = []
        self._told: list[SessionId] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._announced, self._told = [], []
        self._judge.forget()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> JudgedBatch[_Labels]:
        """Labels the sessions that have changed since they were labelled, or by another model.

        Raises:
            RecordsRefusedError: some name sessions that cannot be labelled.
        """
        return self._judge.process(items)

    def write(self, work: JudgedBatch[_Labels], offsets: Mapping[int, OffsetRange]) -> None:
        """Stores labels, offsets, and which sessions are to be announced."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets)
            # Alone where links count too: what labels change depends on them, and they change meanwhile.
            lock_sessions(connection, alone=self._evidence.links and self._evidence.defects)
            known = labelled_sessions(connection, [record.session_id for record in work.records])
            judged, void = as_they_are(connection, work, known)
            sessions = [item.session for item in judged]
            before = self._learned(connection, sessions)
            drop_labels(connection, void)
            labelled = [SessionLabels(item.session, item.model, item.verdict) for item in judged]
            store_labels(connection, labelled, self._clock_ms())
            after = self._learned(connection, sessions)
            changed = [x for x in sessions if before[x.session_id] != after[x.session_id]]
            note_sessions(connection, changed, work.partitions)
        self._judge.forget()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Turns whose labels have changed, and sessions of which chains then make something else.

        The former from one worker: two could leave an older record as the last.
        """
        self._announced, self._told = [], []
        with reading(self._engine) as connection:
            if self._publishes(connection):
                self._announced = label_changes(connection, CHANGES_AT_A_TIME)
            noted = noted_sessions(connection, self._partitions)
        self._told = [session.session_id for session in noted]
        for change in self._announced:
            value = None if change.record is None else msgspec.json.encode(change.record)
            yield OutgoingRecord(topic=self._labels_topic, key=change.key.encode(), value=value)
        yield from announcements(self._engine, self.source_topic, noted)

    def produced(self) -> None:
        """Marks them as announced."""
        if self._announced or self._told:
            with self._engine.begin() as connection:
                mark_announced(connection, self._announced)
                drop_notices(connection, self._told)
        self._announced, self._told = [], []

    def idle(self, now_ms: int) -> JudgedBatch[_Labels] | None:
        """Announces what is left, and what others have written: files learned, users forgotten."""
        with reading(self._engine) as connection:
            waiting = self._publishes(connection) and has_label_changes(connection)
        return JudgedBatch(()) if waiting else None

    def _learned(self, connection: Connection, sessions: Sequence[Session]) -> dict[SessionId, object]:
        """What chains and requests make of sessions; nothing where they do not go by defects."""
        if not self._evidence.defects:
            return dict.fromkeys(session.session_id for session in sessions)
        evidence = stored_evidence(connection, sessions, self._evidence)
        return {x.session_id: learned_from(x, evidence[x.session_id]) for x in sessions}

    def _publishes(self, connection: Connection) -> bool:
        return self._holds_first and are_published(connection)
