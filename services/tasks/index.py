"""The index task: sessions in; statistics, the request index and its vectors out.

As with chains, a session record says that a session has changed, and what it is now is read from the store.
Vectors are made and bases are built outside the transactions: they depend on nothing that a crash could lose.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

import structlog
from msgspec import Struct
from sqlalchemy import Connection, Engine

from labeling.errors import LabelingError
from rewriting.errors import RewritingError
from rewriting.evidence_settings import EvidenceSettings
from rewriting.requests.step import SessionRequests, session_requests
from services.learners.changed_sessions import judged_sessions
from services.learners.index_encoding import MOST_REQUESTS, EncodedRequests, IndexEncoding, store_encoded
from services.learners.index_publishing import IndexPublishing
from services.learners.requests import RequestLearner
from services.platform.database import is_retriable
from services.tasks.database import DatabaseTask
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import lock_sessions
from streams.stream_task import OffsetRange, OutgoingRecord, Received
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


class IndexWork(Struct, frozen=True):
    """Sessions that have changed, and requests with their vectors."""

    records: tuple[SessionRecord, ...]  # each session once
    encoded: tuple[EncodedRequests, ...] = ()


class IndexTask(DatabaseTask):
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
        super().__init__(TASK, topics.sessions, engine)
        self._evidence = evidence or EvidenceSettings()
        self._learner = learner
        self._encoding = encoding
        self._publishing = publishing
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="index-base")
        self._publication: Future[None] | None = None
        self._look_after_s = self._publish_after_s = 0.0  # on the monotonic clock

    def assigned(self, partitions: Sequence[int]) -> None:
        """Counts are built when their first session comes."""
        super().assigned(partitions)
        self._learner.drop()

    def revoked(self, partitions: Sequence[int]) -> None:
        """Counts may be another worker's now."""
        super().revoked(partitions)
        self._learner.drop()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> IndexWork:
        """Finds out which sessions have changed, and encodes some of the requests that wait."""
        newest = {item.value.session_id: item.value for item in items}
        if time.monotonic() >= self._look_after_s:
            self._publish_what_is_due()
        return IndexWork(
            tuple(record for _, record in sorted(newest.items())), self._encoded(MOST_WHILE_BUSY)
        )

    def write(self, work: IndexWork, offsets: Mapping[int, OffsetRange]) -> None:
        """Stores requests, statistics, index rows, vectors and offsets."""
        try:
            with self._engine.begin() as connection:
                self._save_offsets(connection, offsets)
                lock_sessions(connection, alone=False)
                self._learner.refresh(connection)
                self._learner.absorb(connection, self._requests(connection, work.records))
                self._learner.write(connection)
                store_encoded(connection, work.encoded)
        except BaseException:
            self._learner.drop()  # what is in memory is ahead of the database now
            raise

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """Nothing: the lookup follows the database."""
        return ()

    def produced(self) -> None:
        """Nothing was."""

    def idle(self, now_ms: int) -> IndexWork | None:
        """Encodes what waits, follows what others have changed, and sees to new bases."""
        encoded = self._encoded(MOST_REQUESTS)
        with reading(self._engine) as connection:
            is_stale = bool(self._learner.stale(connection))
        if encoded or is_stale:
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

    def _requests(self, connection: Connection, records: Iterable[SessionRecord]) -> list[SessionRequests]:
        """What the sessions are now; those that are no more have no steps."""
        requests = []
        for changed in judged_sessions(connection, records, self._evidence):
            record, session = changed.record, changed.session
            if session is None:
                requests.append(SessionRequests(record.session_id, record.assistant_id, record.user_id, ()))
            else:
                requests.append(session_requests(session, changed.evidence))
        return requests
