"""Rephrase absorbing: the rephrases worker's work on all stored sessions of an assistant, in one go."""

from collections.abc import Callable

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Connection, Engine

from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink
from rewriting.rephrases.store import found_links, rephrase_counts, stored_links
from rewriting.table.rewrite_table import RewriteTable
from services.learners.evidence import EvidenceLearners
from services.learners.rephrase_candidates import JudgedSession, RephraseLearner
from services.session_models.backfill import NewVerdicts, absorb_sessions
from services.session_models.rephrases.kind import KIND
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId


class RephraseAbsorption(Struct, frozen=True, kw_only=True):
    """What was found."""

    assistant_id: AssistantId
    judged: int  # sessions that this detector had not judged
    refused: int  # sessions that it cannot take
    sessions: int  # judged by any detector, in all
    pairs: int  # in all
    candidates: int  # in the rewrite table now

    @property
    def in_words(self) -> str:
        """One line for people."""
        refused = f", {self.refused:,} refused" if self.refused else ""
        return (
            f"{self.judged:,} sessions searched for rephrases{refused}; {self.pairs:,} rephrases in "
            f"{self.sessions:,} sessions, {self.candidates:,} candidates in the rewrite table"
        )


def absorb_rephrases(
    engine: Engine,
    table: RewriteTable,
    settings: Settings,
    assistant_id: AssistantId,
    in_use: tuple[str, RephraseDetector],
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
) -> RephraseAbsorption:
    """Finds the rephrases in all sessions of an assistant, and brings all that learns from them up to date.

    Sessions that this very detector has judged as they are now are not judged again; pairs, candidates,
    chains and requests become what the settings make of their links all the same. What is stored is that
    which the workers store, so it does not matter which of them comes first. Where it was killed, the next
    call goes on.

    Args:
        engine: of the database, with the sessions.
        table: of the rewrites.
        settings: of rephrases, chains and requests.
        assistant_id: whose sessions.
        in_use: the name of the detector, and the detector.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
    """
    learner = RephraseLearner(table, settings.rephrases, clock_ms)
    learners = EvidenceLearners(table, settings, clock_ms)

    def keep(connection: Connection, new: NewVerdicts[list[RephraseLink]]) -> None:
        learner.drop(connection, new.void)
        links = {item.session.session_id: item.verdict for item in new.judged}
        others = [session.session_id for session in new.sessions if session.session_id not in links]
        for key, stored in stored_links(connection, others).items():
            if stored.model == in_use[0]:
                links[key] = list(stored.links)
        found = [
            JudgedSession(session, found_links(session, in_use[0], links[session.session_id]))
            for session in new.sessions
            if session.session_id in links
        ]
        learner.store(connection, found, told=True)
        learners.absorb(connection, assistant_id, [item.session for item in found])

    n_judged, n_refused = absorb_sessions(engine, assistant_id, KIND, in_use, keep, progress, "rephrases")
    with engine.begin() as connection:
        learner.refresh(connection, also=[assistant_id])
        learners.solve(connection, also=[assistant_id])
    with reading(engine) as connection:
        n_sessions, n_pairs = rephrase_counts(connection, assistant_id)
        candidates = table.standing_ids(connection, assistant_id, "rephrase")
    return RephraseAbsorption(
        assistant_id=assistant_id,
        judged=n_judged,
        refused=n_refused,
        sessions=n_sessions,
        pairs=n_pairs,
        candidates=len(candidates),
    )
