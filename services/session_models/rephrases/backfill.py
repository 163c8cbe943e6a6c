"""Rephrase absorbing: the rephrases worker's work on all stored sessions of an assistant, in one go."""

from collections.abc import Callable, Iterable

import structlog
from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.rephrases.store import SessionLinks, found_links, rephrase_counts, stored_links
from rewriting.table.rewrite_table import RewriteTable
from services.learners.evidence import EvidenceLearners
from services.learners.rephrase_candidates import JudgedSession, RephraseLearner
from services.session_models.rephrases.detection import detect_sessions
from services.settings import Settings
from streams.session import SessionId
from streams.stores.database_schema import chunks, reading
from streams.stores.session_store import lock_sessions, read_sessions, session_ids
from streams.turn import AssistantId

log = structlog.get_logger()

SESSIONS_AT_A_TIME = 500
"""Sessions judged and written together. Raised, others wait longer for the lock of the database; lowered,
more transactions."""


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
    detector_name: str,
    detector: RephraseDetector,
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
        detector_name: of its artifact.
        detector: finds the rephrases.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
    """
    learner = RephraseLearner(table, settings.rephrases, clock_ms)
    learners = EvidenceLearners(table, settings, clock_ms)
    with reading(engine) as connection:
        every_id = session_ids(connection, assistant_id)
    bar = progress.add_task("rephrases", total=len(every_id)) if progress else None
    n_judged = n_refused = 0
    for ids in chunks(every_id, SESSIONS_AT_A_TIME):
        found, new, refused = _found(engine, assistant_id, ids, detector_name, detector)
        n_judged += new
        n_refused += refused
        with engine.begin() as connection:
            lock_sessions(connection, alone=True)
            sessions = {x.session_id: x for x in read_sessions(connection, assistant_id, found)}
            judged = [
                JudgedSession(sessions[key], links)
                for key, links in found.items()
                if key in sessions and sessions[key].turns_key == links.turns_key
            ]
            learner.store(connection, judged, told=True)
            learners.absorb(connection, assistant_id, [item.session for item in judged])
        if progress and bar is not None:
            progress.advance(bar, len(ids))
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


def _found(
    engine: Engine,
    assistant_id: AssistantId,
    ids: Iterable[SessionId],
    detector_name: str,
    detector: RephraseDetector,
) -> tuple[dict[SessionId, SessionLinks], int, int]:
    """The links of sessions, from the store or the detector; how many of the latter, and how many refused."""
    with reading(engine) as connection:
        sessions = [x for x in read_sessions(connection, assistant_id, ids) if len(x.turns) > 1]
        stored = stored_links(connection, [session.session_id for session in sessions])
    found, new = {}, []
    for session in sessions:
        known = stored.get(session.session_id)
        if known is not None and (known.model, known.turns_key) == (detector_name, session.turns_key):
            found[session.session_id] = found_links(session, detector_name, known.links)
        else:
            new.append(session)
    n_refused = 0
    for session, links in zip(new, detect_sessions(detector, new), strict=True):
        if isinstance(links, Exception):
            n_refused += 1
            log.warning(
                "a session is not searched for rephrases", session_id=session.session_id, reason=str(links)
            )
        else:
            found[session.session_id] = found_links(session, detector_name, links)
    return found, len(new) - n_refused, n_refused
