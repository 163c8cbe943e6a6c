"""The chain task: sessions in, rewrites out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import Connection, Engine

from rewriting.chains.step import SessionSteps, session_steps
from rewriting.evidence_settings import EvidenceSettings
from rewriting.guards.judged_rewrites import JudgedState, StateReason
from rewriting.guards.reason import RefusalReason
from rewriting.table.publication import RewritePublication, UnpublishedChanges
from rewriting.table.rewrite import TableVersion
from services.learners.chains import ChainLearner
from services.tasks.learning import LearningTask, SessionBatch, newest_records
from streams.session_record import SessionRecord
from streams.stream_task import OutgoingRecord, Received
from streams.topic_names import Topics
from streams.turn import AssistantId

TASK = "chains"


class ChainWork(SessionBatch, frozen=True):
    """A batch of sessions that have changed."""

    patient: bool = True  # solving may be put off


class ChainTask(LearningTask[SessionSteps, ChainWork, ChainLearner]):
    """Reads sessions, keeps the chains and the rewrite tables, and publishes the tables."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        learner: ChainLearner,
        publication: RewritePublication,
        evidence: EvidenceSettings | None = None,
    ) -> None:
        super().__init__(TASK, topics.sessions, engine, learner, session_steps, SessionSteps, evidence)
        self._rewrites_topic = topics.rewrites
        self._publication = publication
        self._published: list[tuple[AssistantId, TableVersion]] = []

    @property
    def refused_counts(self) -> dict[AssistantId, Counter[RefusalReason]]:
        """What the guards of each chain that is held hold back: pairs by reason."""
        return self._learner.refused_counts

    @property
    def judged_counts(self) -> dict[AssistantId, Counter[tuple[JudgedState, StateReason]]]:
        """How the rows of each chain that is held fare: by state and reason."""
        return self._learner.judged_counts

    def process(self, items: Sequence[Received[SessionRecord]]) -> ChainWork:
        """Finds out which sessions have changed; how is read where it is written."""
        return ChainWork(newest_records(items))

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """The rows of the rewrite tables that have changed since they were last published."""
        self._published = []
        for change in self._unpublished():
            self._published.append((change.assistant_id, change.version))
            for record in change.records:
                yield OutgoingRecord(topic=self._rewrites_topic, key=record.key, value=record.value)

    def produced(self) -> None:
        """Marks them as published."""
        for assistant_id, version in self._published:
            self._publication.mark_published(assistant_id, version)
        self._published = []

    def idle(self, now_ms: int) -> ChainWork | None:
        """Solves what was put off, follows what others have changed, and publishes what operators have."""
        if self._learner.has_unsolved or self._is_stale() or next(self._unpublished(), None) is not None:
            return ChainWork((), patient=False)
        return None

    def _unpublished(self) -> Iterator[UnpublishedChanges]:
        """What there is to publish, for one worker: two could leave an older row as the last."""
        return self._publication.unpublished() if self._holds_first else iter(())

    def _finish(self, connection: Connection, work: ChainWork) -> None:
        self._learner.solve(connection, patient=work.patient)
