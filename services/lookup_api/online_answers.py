"""Asks the online rewriter, away from the event loop and within the time of a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from msgspec import Struct
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rewriting.ranking.online_rewriter import OnlineAnswer
from rewriting.requests.history import RequestHistory
from rewriting.requests.session_store import read_history
from rewriting.requests.statistics_store import StoredStatistics
from rewriting.table.abstain_reason import AbstainReason
from services.lookup_api.api_metrics import ApiMetrics
from services.lookup_api.followers.online import OnlineFollower, OnlineParts
from services.lookup_api.messages import OnlineDetails, RewriteQuery
from services.lookup_api.online_request import asked_online, source_words
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId

log = structlog.get_logger()

THREADS: Final = 4
"""That answer at the same time: models and database let other threads run. Raised, they wait for each other;
lowered, a read that hangs keeps more requests from an answer."""

HISTORY: Final = "history"
"""The stage before those of the rewriter: the user's sessions are read."""


class AnsweredOnline(Struct, frozen=True):
    """An answer, and what it was reached with."""

    answer: OnlineAnswer
    parts: OnlineParts
    history_s: float | None  # None: the history was not read

    @property
    def details(self) -> OnlineDetails:
        """How it was reached, for whoever asked."""
        judgement, rewrite, index = self.answer.judgement, self.answer.rewrite, self.parts.index
        seconds = {stage.value: seconds for stage, seconds in self.answer.seconds.items()}
        return OnlineDetails(
            defect=None if judgement is None else judgement.defect,
            meant=None if judgement is None else judgement.meant,
            win=None if judgement is None else judgement.win,
            sources=() if rewrite is None else source_words(rewrite.source),
            seconds=seconds if self.history_s is None else {HISTORY: self.history_s, **seconds},
            models={kind: name for kind, name in self.parts.models.items()},
            index_version=None if index is None else index.version,
        )


class OnlineAnswers:
    """Answers requests with the parts that a follower holds.

    An answer that is not there when the budget is spent is not waited for. Where the database does not
    answer, or anything else fails, the request goes without; it is counted, with the reason.

    Args:
        engine: of the database; its statements should not wait for others much longer than the budget.
        follower: of the models and indexes.
        metrics: that are counted.
        clock_ms: milliseconds since 1970.
    """

    def __init__(
        self, engine: Engine, follower: OnlineFollower, metrics: ApiMetrics, clock_ms: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._follower = follower
        self._metrics = metrics
        self._clock_ms = clock_ms
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="online")

    def close(self) -> None:
        """Takes no more requests."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def ask(
        self, assistant_id: AssistantId, query: RewriteQuery, *, uses_history: bool = True
    ) -> AnsweredOnline | None:
        """What a request should have been; None where there is nothing to ask, or it failed.

        Args:
            assistant_id: whose request.
            query: with a text that has a word.
            uses_history: whether the user's earlier sessions may speak for a rewrite.
        """
        parts = self._follower.parts.get(assistant_id)
        if parts is None:
            return None
        started_s = time.monotonic()
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._answer, parts, assistant_id, query, uses_history, started_s
        )
        try:
            answered = await asyncio.wait_for(work, parts.rewriter.settings.budget_ms / 1000)
        except TimeoutError:
            late = OnlineAnswer(None, AbstainReason.OUT_OF_TIME)
            answered = AnsweredOnline(late, parts, None)
        if answered is not None and answered.answer.reason is AbstainReason.OUT_OF_TIME:
            self._metrics.count_out_of_time(assistant_id)
        return answered

    def _answer(
        self,
        parts: OnlineParts,
        assistant_id: AssistantId,
        query: RewriteQuery,
        uses_history: bool,
        started_s: float,
    ) -> AnsweredOnline | None:
        try:
            answered = self._asked(parts, assistant_id, query, uses_history, started_s)
        except (DBAPIError, PoolTimeoutError) as error:
            # The followers log that the database is away, once; this would be a line for each request.
            self._metrics.count_failure(assistant_id, "database")
            log.debug("history or statistics not read", assistant_id=assistant_id, error=str(error))
            return None
        except Exception:
            self._metrics.count_failure(assistant_id, "fault")
            log.exception("a request was not rewritten online", assistant_id=assistant_id)
            return None
        for stage, seconds in answered.details.seconds.items():
            self._metrics.observe_stage(stage, seconds)
        return answered

    def _asked(
        self,
        parts: OnlineParts,
        assistant_id: AssistantId,
        query: RewriteQuery,
        uses_history: bool,
        started_s: float,
    ) -> AnsweredOnline:
        rewriter = parts.rewriter
        request = asked_online(query, self._clock_ms())
        with reading(self._engine) as connection:
            began_s = time.monotonic()
            history = RequestHistory()
            if uses_history and rewriter.settings.candidates.uses_history:
                history = read_history(connection, assistant_id, UserId(query.user_id))
            history_s = time.monotonic() - began_s
            statistics = StoredStatistics(connection, assistant_id)
            answer = rewriter.answer(request, statistics, history, parts.index, started_s)
        return AnsweredOnline(answer, parts, history_s)
