"""The request learner: keeps what online rewriting knows of all users up with sessions.

For workers and offline jobs alike. Of each assistant it holds the counts in memory; the sessions they are
made of, the statistics that are read of them, and what the index shall hold, are in the database.
"""

from collections.abc import Iterable, Sequence

import structlog
from msgspec.structs import replace
from sqlalchemy import Connection

from rewriting.evidence.interpretation import Interpretation, is_understood
from rewriting.evidence_settings import EvidenceSettings
from rewriting.index.indexed_request import IndexedRequest, request_id
from rewriting.index.store import held_ids, wanted
from rewriting.ranking.candidates import CandidateSettings
from rewriting.requests.counts import RequestCounts, SharedStatistics, TouchedKeys
from rewriting.requests.session_store import (
    REQUEST_STORE,
    RequestEpoch,
    mark_written,
    not_written,
    start_written_epoch,
)
from rewriting.requests.statistics_store import replace_statistics, store_statistics
from rewriting.requests.step import SessionRequests
from services.learners.current_steps import current_requests
from streams.stores.step_store import by_assistant
from streams.turn import AssistantId

log = structlog.get_logger()


class RequestLearner:
    """Counts in memory; their sessions, statistics and index rows in the database.

    The counts in memory follow the transaction they are changed in: where it fails, call `drop`, and they are
    rebuilt from the database when they are next needed.
    """

    def __init__(
        self, settings: CandidateSettings | None = None, evidence: EvidenceSettings | None = None
    ) -> None:
        """Makes it.

        Args:
            settings: whom a global candidate must rest on.
            evidence: what models have said of sessions that is learned from; for those of an earlier form.
        """
        self._settings = settings or CandidateSettings()
        self._evidence = evidence or EvidenceSettings()
        self._counts: dict[AssistantId, RequestCounts] = {}
        self._epochs: dict[AssistantId, int] = {}
        self._touched: dict[AssistantId, TouchedKeys] = {}

    def drop(self) -> None:
        """Forgets all counts in memory."""
        self._counts.clear()
        self._epochs.clear()
        self._touched.clear()

    def absorb(self, connection: Connection, sessions: Iterable[SessionRequests]) -> None:
        """Brings sessions into the counts, each in the place of what was known of it; `write` is to follow.

        Args:
            connection: in a transaction that writes.
            sessions: of any assistants, each at most once; without steps: withdrawn.
        """
        for assistant_id, news in by_assistant(sessions):
            counts = self._counts_of(connection, assistant_id)
            touched = self._touched.setdefault(assistant_id, TouchedKeys())
            for before, after in REQUEST_STORE.replace(connection, news):
                if before is not None:
                    counts.remove(before)
                    touched.touch(before)
                counts.add(after)
                touched.touch(after)

    def write(self, connection: Connection) -> None:
        """Writes the statistics, and what the index shall hold, of all that was absorbed.

        Args:
            connection: in the transaction in which it was absorbed.
        """
        for assistant_id, touched in sorted(self._touched.items()):
            counts = self._counts[assistant_id]
            store_statistics(connection, assistant_id, SharedStatistics(counts), touched)
            put, removed = _indexed(counts, touched.interpretations)
            wanted(connection, assistant_id, put, removed)
        self._touched.clear()

    def announce(self, connection: Connection, assistants: Iterable[AssistantId]) -> None:
        """Tells others who hold the counts of these assistants to rebuild them.

        Args:
            connection: in the transaction in which they were changed and written.
            assistants: whose counts we have changed without being the one who holds them.
        """
        for assistant_id in sorted(set(assistants)):
            self._epochs[assistant_id] = start_written_epoch(connection, assistant_id)

    def refresh(self, connection: Connection, also: Iterable[AssistantId] = ()) -> None:
        """Rebuilds all counts that others have changed, and writes what is to be written of them.

        Args:
            connection: in a transaction that writes.
            also: assistants whose counts are to be in memory after this: their sessions then are in the form
                of today.
        """
        for assistant_id in sorted({*self.stale(connection), *also}):
            self._counts_of(connection, assistant_id)

    def stale(self, connection: Connection) -> list[AssistantId]:
        """The assistants whose counts in memory, or whose statistics, others have left behind."""
        now = REQUEST_STORE.epochs.all(connection)
        behind = {key for key, known in self._epochs.items() if key not in now or now[key].epoch != known}
        return sorted(behind.union(not_written(connection, self._settings.min_users)))

    def _counts_of(self, connection: Connection, assistant_id: AssistantId) -> RequestCounts:
        now = REQUEST_STORE.epochs.lock(connection, assistant_id)
        if self._epochs.get(assistant_id) != now.epoch:
            now = self._rebuild(connection, assistant_id, now)
        if (now.written_epoch, now.min_users) != (now.epoch, self._settings.min_users):
            self._write_anew(connection, assistant_id)
        return self._counts[assistant_id]

    def _rebuild(self, connection: Connection, assistant_id: AssistantId, now: RequestEpoch) -> RequestEpoch:
        """Builds the counts of an assistant from its sessions; gives the epoch in which they are right.

        Where sessions are of an earlier form, they are made anew, which starts an epoch: what is written was
        made of those of before.
        """
        counts = RequestCounts(self._settings.min_users)
        n_sessions = n_renewed = 0

        def keep(renewed: Sequence[SessionRequests]) -> None:
            nonlocal n_renewed
            REQUEST_STORE.store(connection, renewed)
            n_renewed += len(renewed)

        for session in current_requests(connection, assistant_id, self._evidence, keep):
            counts.add(session)
            n_sessions += 1
        if n_renewed:
            now = replace(now, epoch=REQUEST_STORE.start_epoch(connection, assistant_id))
        self._counts[assistant_id] = counts
        self._epochs[assistant_id] = now.epoch
        self._touched.pop(assistant_id, None)
        log.info("request counts built", assistant_id=assistant_id, sessions=n_sessions, made_anew=n_renewed)
        return now

    def _write_anew(self, connection: Connection, assistant_id: AssistantId) -> None:
        """Makes statistics and index what the counts warrant, whatever is there: a user may be forgotten."""
        counts = self._counts[assistant_id]
        keys = TouchedKeys(set(counts.texts), set(counts.interpretations), set(counts.questions))
        replace_statistics(connection, assistant_id, SharedStatistics(counts), keys)
        put, _ = _indexed(counts, keys.interpretations)
        held = held_ids(connection, assistant_id).tolist()
        clean_version = wanted(connection, assistant_id, put, held)
        mark_written(connection, assistant_id, self._settings.min_users, clean_version)


def _indexed(
    counts: RequestCounts, interpretations: Iterable[Interpretation]
) -> tuple[list[IndexedRequest], list[int]]:
    """What the index shall hold of some interpretations, and the ids of those that it shall not hold."""
    put, removed = [], []
    for interpretation in sorted(interpretations):
        if not is_understood(interpretation):
            continue
        known = counts.interpretation(interpretation)
        key = request_id(interpretation)
        if known is None or known.text is None:
            removed.append(key)
        else:
            put.append(IndexedRequest(request_id=key, text=known.text, interpretation=interpretation))
    return put, removed
