"""What becomes of links: with their pairs they are stored, make candidates, and are evidence for chains."""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine

from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.store import found_links, rephrase_counts, stored_links
from services.learners.rephrase_candidates import JudgedSession, RephraseLearner
from services.session_models.effect import EvidenceEffect, NewVerdicts
from services.settings import Settings
from streams.session import Session, SessionId
from streams.stores.session_notice import drop_notices
from streams.turn import AssistantId
from streams.verdict import Judged

NAME = "rephrases"
"""Of the kind, and of the task that announces sessions."""

_Links = list[RephraseLink]


class RephraseEffect(EvidenceEffect[_Links]):
    """Stores links and pairs, and makes candidates of them."""

    def __init__(self, engine: Engine, settings: Settings, clock_ms: Callable[[], int]) -> None:
        super().__init__(engine, settings, clock_ms)
        self._learner = RephraseLearner(self._table, settings.rephrases, clock_ms)

    def keep(
        self, connection: Connection, judged: Sequence[Judged[_Links]], void: Sequence[SessionId]
    ) -> Sequence[Session]:
        """Stores links, pairs and candidates; gives the sessions of which something else is learned now."""
        self._learner.drop(connection, void)
        return self._learner.store(
            connection,
            [
                JudgedSession(item.session, found_links(item.session, item.model, item.verdict))
                for item in judged
            ],
        )

    def renew(self, connection: Connection, assistant_id: AssistantId, new: NewVerdicts[_Links]) -> None:
        """Stores links, makes pairs of all as the settings are now, and has chains and requests learn."""
        self._learner.drop(connection, new.void)
        links = {item.session.session_id: item.verdict for item in new.judged}
        others = [session.session_id for session in new.sessions if session.session_id not in links]
        for key, stored in stored_links(connection, others).items():
            if stored.model == new.model:
                links[key] = list(stored.links)
        found = [
            JudgedSession(session, found_links(session, new.model, links[session.session_id]))
            for session in new.sessions
            if session.session_id in links
        ]
        self._learner.store(connection, found)
        sessions = [item.session for item in found]
        self._learners.absorb(connection, assistant_id, sessions)
        drop_notices(connection, NAME, [session.session_id for session in sessions])

    def finish(self, connection: Connection, assistant_id: AssistantId) -> None:
        """Makes candidates, rewrite tables and statistics what all links warrant."""
        self._learner.refresh(connection, also=[assistant_id])
        self._learners.solve(connection, also=[assistant_id])

    def is_stale(self, connection: Connection) -> bool:
        """Whether others have left candidates behind: users were forgotten, files learned."""
        return self._learner.is_stale(connection)

    def summary(self, connection: Connection, assistant_id: AssistantId) -> str:
        """How many rephrases were found, and the candidates that they make."""
        sessions, pairs = rephrase_counts(connection, assistant_id)
        candidates = len(self._table.standing_ids(connection, assistant_id, "rephrase"))
        found = f"{pairs:,} rephrases in {sessions:,} sessions"
        return f"{found}, {candidates:,} candidates in the rewrite table"
