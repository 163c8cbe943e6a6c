"""The session task: turns in, sessions out.

It keeps nothing in memory: what it needs of the sessions it reads from the store with each batch, so a worker
that dies or loses a partition leaves nothing behind. The worker that has the first partition applies feedback
that has come since: the sessions of the turns that it is about go to their topic again.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Engine

from rewriting.feedback.store import Outcome, has_feedback, has_unsettled_feedback
from services.session_models.stored_turns import store_turns_with_feedback
from services.tasks.database import DatabaseTask
from streams.session import DEFAULT_GAP_MS
from streams.session_record import encode_stored_session
from streams.stores.checkpoint import latest_events
from streams.stores.database_schema import reading
from streams.stores.session_store import (
    FROM_FILES,
    StoredSession,
    as_they_were,
    close_sessions,
    has_open_sessions,
    has_sessions_to_emit,
    lock_sessions,
    mark_emitted,
    sessions_to_emit,
)
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics
from streams.turn import LATEST_TS_MS, AssistantId, TurnEvent, decode_turn

TASK = "sessions"

CLOCK_SKEW_MS = 300_000
"""Events from farther in the future than this do not close other users' sessions."""


class SessionWork(Struct, frozen=True):
    """A batch of turns."""

    turns: tuple[TurnEvent, ...]
    partitions: dict[tuple[str, str], int]  # by assistant and user
    latest_event_ms: dict[int, int]  # by partition
    close_all: bool = False


class SessionTask(DatabaseTask):
    """Reads turns, keeps sessions in the store, and produces each when it is closed or changes after that."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        clock_ms: Callable[[], int],
        *,
        gap_ms: int = DEFAULT_GAP_MS,
        idle_timeout_ms: int = DEFAULT_GAP_MS,
    ) -> None:
        """Makes the task.

        Args:
            engine: of the database.
            topics: names.
            clock_ms: the time now, milliseconds since 1970.
            gap_ms: silence that ends a session.
            idle_timeout_ms: silence of all users, by the clock on the wall, that ends all sessions.
        """
        super().__init__(TASK, topics.turns, engine)
        self._sessions_topic = topics.sessions
        self._clock_ms = clock_ms
        self._gap_ms = gap_ms
        self._idle_timeout_ms = idle_timeout_ms
        self._idle_since_ms: int | None = None
        self._emitted: list[StoredSession] = []
        self._feedback: Counter[tuple[AssistantId, Outcome]] = Counter()

    @property
    def feedback_outcomes(self) -> Counter[tuple[AssistantId, Outcome]]:
        """What has become of feedback since the task was made: entries by assistant and outcome."""
        return self._feedback

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        super().revoked(partitions)
        self._emitted = []

    def decode(self, value: bytes | None) -> TurnEvent:
        """A turn event."""
        return decode_turn(value, self._clock_ms())

    def process(self, items: Sequence[Received[TurnEvent]]) -> SessionWork:
        """Takes the turns together; what they change depends on all that was written before."""
        self._idle_since_ms = None
        latest: dict[int, int] = {}
        partitions: dict[tuple[str, str], int] = {}
        for item in items:
            turn = item.value
            if turn.ts_ms > latest.get(item.partition, 0):
                latest[item.partition] = turn.ts_ms
            partitions[turn.assistant_id, turn.user_id] = item.partition
        return SessionWork(tuple(item.value for item in items), partitions, latest)

    def write(self, work: SessionWork, offsets: Mapping[int, OffsetRange]) -> None:
        """Stores sessions, feedback and offsets; closes the sessions that event time has left behind."""
        with self._engine.begin() as connection:
            self._save_offsets(connection, offsets, work.latest_event_ms)
            stored = store_turns_with_feedback(
                connection, work.turns, self._gap_ms, work.partitions, waiting=self._holds_first
            )
            latest = latest_events(connection, TASK, self.source_topic)
            for partition in self._partitions if work.close_all else offsets:
                latest_ms = min(latest.get(partition, 0), self._clock_ms() + CLOCK_SKEW_MS)
                before_ms = LATEST_TS_MS + 1 if work.close_all else latest_ms - self._gap_ms
                close_sessions(connection, partition, before_ms)
        self._feedback.update(stored.feedback.outcomes)

    @property
    def _emits(self) -> set[int]:
        """The partitions whose sessions are ours to emit; those from files are one worker's."""
        return self._partitions | {FROM_FILES} if self._holds_first else self._partitions

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """The sessions that are closed and not produced as they are."""
        with reading(self._engine) as connection:
            self._emitted = sessions_to_emit(connection, self._emits)
        for session in self._emitted:
            yield OutgoingRecord(
                topic=self._sessions_topic,
                key=session.assistant_id.encode(),
                value=encode_stored_session(
                    session.session_id, session.assistant_id, session.user_id, session.turns
                ),
            )

    def produced(self) -> None:
        """Marks them as produced, but for those to which another worker has applied feedback since."""
        with self._engine.begin() as connection:
            lock_sessions(connection, alone=False)
            if has_feedback(connection):
                emitted = as_they_were(connection, self._emitted)
            else:
                emitted = [session.session_id for session in self._emitted]
            mark_emitted(connection, emitted)
        self._emitted = []

    def idle(self, now_ms: int) -> SessionWork | None:
        """Closes all sessions when no turn has come for the idle timeout.

        Applies feedback at once, and sends sessions that have changed since another worker has done so.
        """
        if self._idle_since_ms is None:
            self._idle_since_ms = now_ms
        with reading(self._engine) as connection:
            if self._holds_first and has_unsettled_feedback(connection):
                return SessionWork((), {}, {})
            if has_sessions_to_emit(connection, self._emits):
                return SessionWork((), {}, {})
        if now_ms - self._idle_since_ms < self._idle_timeout_ms:
            return None
        with reading(self._engine) as connection:
            if not has_open_sessions(connection, self._partitions):
                return None
        return SessionWork((), {}, {}, close_all=True)
