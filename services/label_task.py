"""The label task: sessions in, labels of their turns out.

A session record says that a session has changed, and what it is now is read from the store. It is labelled
outside the transactions, by the model in use of its assistant; where there is none, nothing is said of it
until there is one, and the job that has trained it labels all sessions. A record for each turn whose labels
have changed goes to the topic after they are written, and one without a value for each turn that has none any
more. What was written and not announced is announced after a crash; so is what others have written.
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
from services.current_models import CurrentModels
from services.database_task import DatabaseTask
from services.label_generation import label_sessions
from services.session_judging import JudgedBatch, SessionJudge, as_they_are
from streams.database_schema import reading
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
    ) -> None:
        super().__init__(TASK, topics.sessions, engine)
        self._labels_topic = topics.labels
        self._clock_ms = clock_ms
        self._judge = SessionJudge[LabelGenerator, _Labels](
            engine, generators, label_sessions, LabelInputError, labelled_sessions
        )
        self._announced: list[LabelChange] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._announced = []
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
        """Stores labels and offsets."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets)
            lock_sessions(connection, alone=False)
            known = labelled_sessions(connection, [record.session_id for record in work.records])
            judged, void = as_they_are(connection, work, known)
            drop_labels(connection, void)
            labelled = [SessionLabels(item.session, item.model, item.verdict) for item in judged]
            store_labels(connection, labelled, self._clock_ms())
        self._judge.forget()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Turns whose labels have changed; from one worker: two could leave an older record as the last."""
        self._announced = []
        with reading(self._engine) as connection:
            if self._publishes(connection):
                self._announced = label_changes(connection, CHANGES_AT_A_TIME)
        for change in self._announced:
            value = None if change.record is None else msgspec.json.encode(change.record)
            yield OutgoingRecord(topic=self._labels_topic, key=change.key.encode(), value=value)

    def produced(self) -> None:
        """Marks them as announced."""
        if self._announced:
            with self._engine.begin() as connection:
                mark_announced(connection, self._announced)
        self._announced = []

    def idle(self, now_ms: int) -> JudgedBatch[_Labels] | None:
        """Announces what is left, and what others have written: files learned, users forgotten."""
        with reading(self._engine) as connection:
            waiting = self._publishes(connection) and has_label_changes(connection)
        return JudgedBatch(()) if waiting else None

    def _publishes(self, connection: Connection) -> bool:
        return self._holds_first and are_published(connection)
