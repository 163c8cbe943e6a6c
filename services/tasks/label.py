"""The label task: sessions in, labels of their turns out.

Where chains and requests go by defects and make something else of a session with its labels, it is announced
by its record, on the topic that it came from: those who read it take the labels into account, and this task,
which has labelled just these turns by the same model already, passes over it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Engine

from labeling.labels.store import LABEL_STORE, PUBLISHING_TASK, SessionLabels, store_labels
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from rewriting.evidence_settings import EvidenceSettings
from services.learners.stored_evidence import learned_from, stored_evidence
from services.session_models.announcing import announcements
from services.session_models.in_use import CurrentModels
from services.session_models.judging import SessionJudge
from services.session_models.labels.kind import KIND
from services.tasks.judging import JudgingTask
from streams.session import Session, SessionId
from streams.stores.database_schema import reading
from streams.stores.session_notice import drop_notices, note_sessions, noted_sessions
from streams.stream_task import OutgoingRecord
from streams.topic_names import Topics
from streams.verdict import Judged

_Labels = list[TurnLabel]


class LabelTask(JudgingTask[_Labels]):
    """Reads sessions, keeps the labels of their turns, and publishes them."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        generators: CurrentModels[LabelGenerator],
        clock_ms: Callable[[], int],
        evidence: EvidenceSettings | None = None,
    ) -> None:
        self._evidence = evidence or EvidenceSettings()
        judge = SessionJudge(engine, KIND, generators)
        super().__init__(
            PUBLISHING_TASK,
            topics.sessions,
            topics.labels,
            engine,
            LABEL_STORE,
            judge,
            # Where links count too: what labels change depends on them, and they change meanwhile.
            alone=self._evidence.links and self._evidence.defects,
        )
        self._clock_ms = clock_ms
        self._told: list[SessionId] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._told = []

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Turns whose labels have changed, and sessions of which chains then make something else."""
        self._told = []
        yield from super().outgoing()
        with reading(self._engine) as connection:
            noted = noted_sessions(connection, self._partitions)
        self._told = [session.session_id for session in noted]
        yield from announcements(self._engine, self.source_topic, noted)

    def produced(self) -> None:
        """Marks them as announced."""
        super().produced()
        if self._told:
            with self._engine.begin() as connection:
                drop_notices(connection, self._told)
        self._told = []

    def _keep(
        self,
        connection: Connection,
        judged: Sequence[Judged[_Labels]],
        void: Sequence[SessionId],
        partitions: Mapping[SessionId, int],
    ) -> None:
        """Stores labels, and which sessions are to be announced."""
        sessions = [item.session for item in judged]
        before = self._learned(connection, sessions)
        LABEL_STORE.drop(connection, void)
        labelled = [SessionLabels(item.session, item.model, item.verdict) for item in judged]
        store_labels(connection, labelled, self._clock_ms())
        after = self._learned(connection, sessions)
        changed = [x for x in sessions if before[x.session_id] != after[x.session_id]]
        note_sessions(connection, changed, partitions)

    def _learned(self, connection: Connection, sessions: Sequence[Session]) -> dict[SessionId, object]:
        """What chains and requests make of sessions; nothing where they do not go by defects."""
        if not self._evidence.defects:
            return dict.fromkeys(session.session_id for session in sessions)
        evidence = stored_evidence(connection, sessions, self._evidence)
        return {x.session_id: learned_from(x, evidence[x.session_id]) for x in sessions}
