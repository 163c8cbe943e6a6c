"""Stored evidence: what models have said of sessions, as far as the settings want it in the chains."""

from collections.abc import Iterable

from sqlalchemy import Connection

from labeling.labels.store import defects_of
from rewriting.chains.step import SessionSteps, session_steps
from rewriting.evidence.session_evidence import NO_EVIDENCE, SessionEvidence
from rewriting.evidence_settings import EvidenceSettings
from rewriting.rephrases.store import links_of
from rewriting.requests.step import SessionRequests, session_requests
from streams.session import Session, SessionId


def stored_evidence(
    connection: Connection, sessions: Iterable[Session], settings: EvidenceSettings
) -> dict[SessionId, SessionEvidence]:
    """The evidence of each session as it is; what was said when it had other turns is none."""
    sessions = list(sessions)
    if not settings.links and not settings.defects:
        return dict.fromkeys((session.session_id for session in sessions), NO_EVIDENCE)
    links = links_of(connection, sessions) if settings.links else {}
    defects = defects_of(connection, sessions) if settings.defects else {}
    return {
        key: SessionEvidence(links.get(key), settings.rule, defects.get(key, {}))
        for key in (session.session_id for session in sessions)
    }


def learned_from(session: Session, evidence: SessionEvidence) -> tuple[SessionSteps, SessionRequests]:
    """What chains and online rewriting learn from a session with this evidence."""
    return session_steps(session, evidence), session_requests(session, evidence)
