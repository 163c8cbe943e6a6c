"""The chain task: sessions in, rewrites out.

Sessions come keyed by assistant, so that one worker holds the whole chain of an assistant. A record says that
a session has changed; what it is now is read from the store. So an old record brings nothing back: not a
session that was revised since, nor one of a user who was forgotten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, Engine

from rewriting.chains.step import SessionSteps, session_steps
from rewriting.evidence_settings import EvidenceSettings
from rewriting.table.publication import RewritePublication, UnpublishedChanges
from rewriting.table.rewrite import TableVersion
from services.learners.chains import ChainLearner
from services.learners.changed_sessions import judged_sessions
from services.tasks.database import DatabaseTask
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import lock_sessions
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics
from streams.turn import AssistantId

TASK = "chains"


class ChainWork(Struct, frozen=True):
    """A batch of sessions that have changed."""

    records: tuple[SessionRecord, ...]  # each session once
    patient: bool = True  # solving may be put off


class ChainTask(DatabaseTask):
    """Reads sessions, keeps the chains and the rewrite tables, and publishes the tables."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        learner: ChainLearner,
        publication: RewritePublication,
        evidence: EvidenceSettings | None = None,
    ) -> None:
        super().__init__(TASK, topics.sessions, engine)
        self._evidence = evidence or EvidenceSettings()
        self._rewrites_topic = topics.rewrites
        self._learner = learner
        self._publication = publication
        self._published: list[tuple[AssistantId, TableVersion]] = []

    def assigned(self, partitions: Sequence[int]) -> None:
        """Chains are built when their first session comes; who holds the first partition publishes."""
        super().assigned(partitions)
        self._learner.drop()

    def revoked(self, partitions: Sequence[int]) -> None:
        """Chains may be another worker's now."""
        super().revoked(partitions)
        self._learner.drop()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> ChainWork:
        """Finds out which sessions have changed; how is read where it is written."""
        newest = {item.value.session_id: item.value for item in items}
        return ChainWork(tuple(record for _, record in sorted(newest.items())))

    def write(self, work: ChainWork, offsets: Mapping[int, OffsetRange]) -> None:
        """Stores steps, rewrites and offsets."""
        try:
            with self._engine.begin() as connection:
                self._save_offsets(connection, offsets)
                lock_sessions(connection, alone=False)
                self._learner.refresh(connection)
                self._learner.absorb(connection, self._steps(connection, work.records))
                self._learner.solve(connection, patient=work.patient)
        except BaseException:
            self._learner.drop()  # what is in memory is ahead of the database now
            raise

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
        with reading(self._engine) as connection:
            waiting = self._learner.has_unsolved or bool(self._learner.stale(connection))
        if waiting or next(self._unpublished(), None) is not None:
            return ChainWork((), patient=False)
        return None

    def _unpublished(self) -> Iterator[UnpublishedChanges]:
        """What there is to publish, for one worker: two could leave an older row as the last."""
        return self._publication.unpublished() if self._holds_first else iter(())

    def _steps(self, connection: Connection, records: Iterable[SessionRecord]) -> list[SessionSteps]:
        """What the sessions are now; those that are no more have no steps."""
        return [
            SessionSteps(changed.record.session_id, changed.record.assistant_id, changed.record.user_id, ())
            if changed.session is None
            else session_steps(changed.session, changed.evidence)
            for changed in judged_sessions(connection, records, self._evidence)
        ]
