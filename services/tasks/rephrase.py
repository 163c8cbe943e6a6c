"""The rephrase task: sessions in; who meant what by the second try out, and the sessions again.

A session record says that a session has changed, and what it is now is read from the store. It is judged
outside the transactions. Where chains and requests make something else of a session with its links, it is
announced by its record, on the same topic: those who read it take the links into account, and this task,
which has judged just these turns by the same detector already, passes over it. What was written and not
announced is announced after a crash.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Engine

from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink
from rewriting.rephrases.store import found_links, mark_announced, sessions_to_announce
from services.learners.rephrase_candidates import JudgedSession, RephraseLearner
from services.session_models.announcing import announcements
from services.session_models.in_use import CurrentModels
from services.session_models.judging import JudgedBatch, SessionJudge, as_they_are
from services.session_models.rephrases.kind import KIND
from services.tasks.database import DatabaseTask
from streams.session import SessionId
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import lock_sessions
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics

TASK = "rephrases"

_Links = list[RephraseLink]


class RephraseTask(DatabaseTask):
    """Reads sessions, finds rephrases in them, and keeps links, pairs and candidates."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        learner: RephraseLearner,
        detectors: CurrentModels[RephraseDetector],
    ) -> None:
        super().__init__(TASK, topics.sessions, engine)
        self._learner = learner
        self._judge = SessionJudge(engine, KIND, detectors)
        self._announced: list[SessionId] = []

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._announced = []
        self._judge.forget()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> JudgedBatch[_Links]:
        """Judges the sessions that have changed since they were judged, or by another detector.

        Raises:
            RecordsRefusedError: some name sessions that their detector cannot take.
        """
        return self._judge.process(items)

    def write(self, work: JudgedBatch[_Links], offsets: Mapping[int, OffsetRange]) -> None:
        """Stores links, pairs, candidates and offsets."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets)
            lock_sessions(connection, alone=False)
            known = KIND.known(connection, [record.session_id for record in work.records])
            judged, void = as_they_are(connection, work, known)
            self._learner.drop(connection, void)
            self._learner.store(
                connection,
                [
                    JudgedSession(
                        item.session,
                        found_links(item.session, item.model, item.verdict),
                        work.partitions[item.session.session_id],
                    )
                    for item in judged
                ],
            )
        self._judge.forget()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """The sessions whose links have changed, and of which those who learn from them do not know yet."""
        with reading(self._engine) as connection:
            waiting = sessions_to_announce(connection, self._partitions)
        self._announced = [announced.session_id for announced in waiting]
        yield from announcements(self._engine, self.source_topic, waiting)

    def produced(self) -> None:
        """Marks them as announced."""
        if self._announced:
            with self._engine.begin() as connection:
                mark_announced(connection, self._announced)
        self._announced = []

    def idle(self, now_ms: int) -> JudgedBatch[_Links] | None:
        """Makes candidates anew that others have left behind: users were forgotten, files learned."""
        with reading(self._engine) as connection:
            return JudgedBatch(()) if self._learner.is_stale(connection) else None
