"""What becomes of failure points: they are stored, and the rewrites that they concern get theirs."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from failure_isolation.store import FAILURE_STORE, failed_turns_of
from failure_isolation.turn_failure import TurnFailure
from services.learners.failure_points import keep_failures, renew_points
from services.session_models.effect import Effect
from services.settings import Settings
from streams.session import Session, SessionId
from streams.turn import AssistantId, UserId
from streams.verdict import Judged


class FailureEffect(Effect[list[TurnFailure]]):
    """Stores failure points, and gives rewrites the most frequent ones; nobody learns from them."""

    def __init__(self, engine: Engine, settings: Settings, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms

    def keep(
        self, connection: Connection, judged: Sequence[Judged[list[TurnFailure]]], void: Sequence[SessionId]
    ) -> Sequence[Session]:
        """Stores failure points, and what the table says of them; the chains worker publishes that."""
        keep_failures(connection, judged, void, self._clock_ms())
        return ()

    def summary(self, connection: Connection, assistant_id: AssistantId) -> str:
        """How many turns have failure points."""
        sessions, turns = FAILURE_STORE.counts(connection, assistant_id)
        return f"{turns:,} turns in {sessions:,} sessions have failure points"


def forget_failures(connection: Connection, assistant_id: AssistantId, user_id: UserId, now_ms: int) -> None:
    """Deletes the failure points of a user's turns; global rewrites get those that are left."""
    failed = failed_turns_of(connection, assistant_id, user_id)
    FAILURE_STORE.forget_user(connection, assistant_id, user_id)
    renew_points(connection, failed, now_ms)
