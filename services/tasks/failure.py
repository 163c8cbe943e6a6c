"""The failure task: sessions in, failure points of their turns out.

With them, the rows of the rewrite table that they concern get the failure point that is the most frequent by
then; the chains worker publishes these.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import Connection, Engine

from failure_isolation.store import FAILURE_STORE, PUBLISHING_TASK
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.learners.failure_points import keep_failures
from services.session_models.failures.kind import KIND
from services.session_models.in_use import CurrentModels
from services.session_models.judging import SessionJudge
from services.tasks.judging import JudgingTask
from streams.session import SessionId
from streams.topic_names import Topics
from streams.verdict import Judged


class FailureTask(JudgingTask[list[TurnFailure]]):
    """Reads sessions, keeps the failure points of their turns, and publishes them."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        isolators: CurrentModels[FailureIsolator],
        clock_ms: Callable[[], int],
    ) -> None:
        judge = SessionJudge(engine, KIND, isolators)
        super().__init__(PUBLISHING_TASK, topics.sessions, topics.failures, engine, FAILURE_STORE, judge)
        self._clock_ms = clock_ms

    def _keep(
        self,
        connection: Connection,
        judged: Sequence[Judged[list[TurnFailure]]],
        void: Sequence[SessionId],
        partitions: Mapping[SessionId, int],
    ) -> None:
        """Stores failure points, and what the table says of them."""
        keep_failures(connection, judged, void, self._clock_ms())
