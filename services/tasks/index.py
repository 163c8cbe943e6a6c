"""The index task: sessions in; statistics, the request index and its vectors out.

Vectors are made and bases are built outside the transactions: they depend on nothing that a crash could lose.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from sqlalchemy import Connection, Engine

from labeling.errors import LabelingError
from rewriting.errors import RewritingError
from rewriting.evidence_settings import EvidenceSettings
from rewriting.requests.step import SessionRequests, session_requests
from services.learners.index_encoding import MOST_REQUESTS, EncodedRequests, IndexEncoding, store_encoded
from services.learners.index_publishing import IndexPublishing
from services.learners.requests import RequestLearner
from services.platform.database import is_retriable
from services.tasks.learning import LearningTask, SessionBatch, newest_records
from streams.session_record import SessionRecord
from streams.stream_task import OutgoingRecord, Received
from streams.topic_names import Topics

log = structlog.get_logger()

TASK = "index"

MOST_WHILE_BUSY = 64
"""Requests that are encoded beside a batch of sessions, 0.2 s. Raised, a backlog of sessions is read more
slowly; lowered, new requests are found later while sessions keep coming."""

LOOK_EVERY_S = 10.0
"""How often it is looked whether an index needs a new base while sessions keep coming."""

TRY_AGAIN_AFTER_S = 60.0
"""After a base could not be published. It is no hurry: without it, searches are slower, and that is all."""

WAIT_FOR_BASE_S = 1.0
"""How long to wait for a base that is being built while nothing comes, before it is looked for sessions."""


class IndexWork(SessionBatch, frozen=True):
    """Sessions that have changed, and requests with their vectors."""

    encoded: tuple[EncodedRequests, ...] = ()


class IndexTask(LearningTask[SessionRequests, IndexWork, RequestLearner]):
    """Reads sessions, and keeps up what online rewriting knows of them."""

    def __init__(
        self,
        engine: Engine,
        topics: Topics,
        learner: RequestLearner,
        encoding: IndexEncoding,
        publishing: IndexPublishing,
        evidence: EvidenceSettings | None = None,
    ) -> None:
        super().__init__(TASK, topics.sessions, engine, learner, session_requests, SessionRequests, evidence)
        self._encoding = encoding
        self._publishing = publishing
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="index-base")
        self._publication: Future[None] | None = None
        self._look_after_s = self._publish_after_s = 0.0  # on the monotonic clock

    def process(self, items: Sequence[Received[SessionRecord]]) -> IndexWork:
        """Finds out which sessions have changed, and encodes some of the requests that wait."""
        if time.monotonic() >= self._look_after_s:
            self._publish_what_is_due()
        return IndexWork(newest_records(items), self._encoded(MOST_WHILE_BUSY))

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Nothing: the lookup follows the database."""
        return ()

    def produced(self) -> None:
        """Nothing was."""

    def idle(self, now_ms: int) -> IndexWork | None:
        """Encodes what waits, follows what others have changed, and sees to new bases."""
        encoded = self._encoded(MOST_REQUESTS)
        if encoded or self._is_stale():
            return IndexWork((), encoded)
        self._publish_what_is_due()
        if self._publication is not None and not self._publication.done():
            wait([self._publication], WAIT_FOR_BASE_S)
            return IndexWork(())
        return None

    def _encoded(self, limit: int) -> tuple[EncodedRequests, ...]:
        """What one worker encodes for all assistants: two would do the same work twice."""
        return tuple(self._encoding.encode(limit)) if self._holds_first else ()

    def _publish_what_is_due(self) -> None:
        """Has the next base built, beside the work on sessions: that of a large index takes minutes."""
        if self._publication is not None:
            if not self._publication.done():
                return
            failure = self._publication.exception()
            self._publication = None
            if isinstance(failure, Exception):
                expected = isinstance(failure, LabelingError | RewritingError | OSError)
                if not expected and not is_retriable(failure):
                    raise failure
                log.error("the base of a request index was not published", error=str(failure))
                self._publish_after_s = time.monotonic() + TRY_AGAIN_AFTER_S
        self._look_after_s = time.monotonic() + LOOK_EVERY_S
        if (
            self._holds_first
            and time.monotonic() >= self._publish_after_s
            and (due := self._publishing.due())
        ):
            self._publication = self._publisher.submit(self._publishing.publish, due[0])

    def _finish(self, connection: Connection, work: IndexWork) -> None:
        self._learner.write(connection)
        store_encoded(connection, work.encoded)
