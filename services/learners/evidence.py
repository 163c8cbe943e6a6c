"""Evidence absorbing: chains and requests made anew of sessions of which models have said more, in a job."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection

from rewriting.chains.store import CHAIN_STORE
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.learners.requests import RequestLearner
from services.learners.stored_evidence import learned_from, stored_evidence
from services.settings import Settings
from streams.session import Session
from streams.turn import AssistantId


class EvidenceLearners:
    """What learns from sessions, brought up to date together."""

    def __init__(self, table: RewriteTable, settings: Settings, clock_ms: Callable[[], int]) -> None:
        self._chains = ChainLearner(table, settings, clock_ms)
        self._requests = RequestLearner(settings.online.candidates, settings.evidence)
        self._evidence = settings.evidence

    def absorb(self, connection: Connection, assistant_id: AssistantId, sessions: Sequence[Session]) -> None:
        """Makes of sessions what the settings make of them with all that is stored now.

        Sessions that chains and requests do not hold yet come to them by their records.

        Args:
            connection: in a transaction that writes.
            assistant_id: of the sessions.
            sessions: as they are, each at most once.
        """
        evidence = stored_evidence(connection, sessions, self._evidence)
        learned = [learned_from(session, evidence[session.session_id]) for session in sessions]
        ids = [session.session_id for session in sessions]
        known_steps, known_requests = CHAIN_STORE.of(connection, ids), REQUEST_STORE.of(connection, ids)
        steps = [new for new, _ in learned if known_steps.get(new.session_id, new) != new]
        requests = [new for _, new in learned if known_requests.get(new.session_id, new) != new]
        self._chains.absorb(connection, steps)
        self._chains.announce(connection)
        if requests:
            self._requests.absorb(connection, requests)
            self._requests.write(connection)
            self._requests.announce(connection, [assistant_id])

    def solve(self, connection: Connection, also: Iterable[AssistantId] = ()) -> None:
        """Makes the rewrite tables and the statistics what all that was absorbed warrants.

        Args:
            connection: in a transaction that writes.
            also: assistants whose tables are made anew in any case: the settings may be others.
        """
        self._chains.refresh(connection, also)
        self._chains.solve(connection)
        self._requests.refresh(connection)
