"""What tasks share that learn from sessions, and hold in memory what they have learned of an assistant.

Sessions come keyed by assistant, so that one worker holds all of an assistant. A record says that a session
has changed; what it is now is read from the store. So an old record brings nothing back: not a session that
was revised since, nor one of a user who was forgotten.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine

from rewriting.evidence.session_evidence import SessionEvidence
from rewriting.evidence_settings import EvidenceSettings
from services.learners.changed_sessions import ChangedSession, judged_sessions
from services.tasks.database import DatabaseTask
from streams.session import Session, SessionId
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import lock_sessions
from streams.stream_task import OffsetRange, Received
from streams.turn import AssistantId, UserId

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)


class SessionBatch(Struct, frozen=True):
    """A batch of sessions that have changed; each task adds what else it is to write."""

    records: tuple[SessionRecord, ...]  # each session once


W = TypeVar("W", bound=SessionBatch)


class _Learner(Protocol[S_contra]):
    def drop(self) -> None: ...

    def refresh(self, connection: Connection) -> None: ...

    def stale(self, connection: Connection) -> list[AssistantId]: ...

    def absorb(self, connection: Connection, sessions: Iterable[S_contra]) -> None: ...


L = TypeVar("L", bound=_Learner[Any])


class LearningTask(DatabaseTask, Generic[S, W, L]):
    """Reads sessions, and brings them into what a learner holds.

    Those below it say what else a batch writes: `_finish`.

    Args:
        name: of the task.
        source_topic: of the sessions.
        engine: of the database.
        learner: holds what follows the transaction it is changed in.
        reduce: what is learned from a session, and from what models have said of it.
        withdrawn: the same of one that is no more: by its id, its assistant, its user and no steps.
        evidence: what models have said of sessions that is learned from.
    """

    def __init__(
        self,
        name: str,
        source_topic: str,
        engine: Engine,
        learner: L,
        reduce: Callable[[Session, SessionEvidence], S],
        withdrawn: Callable[[SessionId, AssistantId, UserId, tuple[()]], S],
        evidence: EvidenceSettings | None,
    ) -> None:
        super().__init__(name, source_topic, engine)
        self._learner = learner
        self._reduce = reduce
        self._withdrawn = withdrawn
        self._evidence = evidence or EvidenceSettings()

    def assigned(self, partitions: Sequence[int]) -> None:
        """What is held is built when the first session of its assistant comes."""
        super().assigned(partitions)
        self._learner.drop()

    def revoked(self, partitions: Sequence[int]) -> None:
        """What is held may be another worker's now."""
        super().revoked(partitions)
        self._learner.drop()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def write(self, work: W, offsets: Mapping[int, OffsetRange]) -> None:
        """Stores what the sessions teach, and offsets."""
        try:
            with self._engine.begin() as connection:
                self._save_offsets(connection, offsets)
                lock_sessions(connection, alone=False)
                self._learner.refresh(connection)
                changed = judged_sessions(connection, work.records, self._evidence)
                self._learner.absorb(connection, [self._reduced(session) for session in changed])
                self._finish(connection, work)
        except BaseException:
            self._learner.drop()  # what is in memory is ahead of the database now
            raise

    def _is_stale(self) -> bool:
        """Whether others have changed what is held."""
        with reading(self._engine) as connection:
            return bool(self._learner.stale(connection))

    def _reduced(self, changed: ChangedSession) -> S:
        record = changed.record
        if changed.session is None:
            return self._withdrawn(record.session_id, record.assistant_id, record.user_id, ())
        return self._reduce(changed.session, changed.evidence)

    def _finish(self, connection: Connection, work: W) -> None:
        """Writes what follows, in the transaction in which the sessions were absorbed."""
        raise NotImplementedError


def newest_records(items: Sequence[Received[SessionRecord]]) -> tuple[SessionRecord, ...]:
    """Of each session the last record, by id."""
    newest = {item.value.session_id: item.value for item in items}
    return tuple(record for _, record in sorted(newest.items()))
