"""Changed sessions: what the sessions that records name are now."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.evidence.session_evidence import NO_EVIDENCE, SessionEvidence
from rewriting.evidence_settings import EvidenceSettings
from services.learners.stored_evidence import stored_evidence
from streams.session import Session, SessionId
from streams.session_record import SessionRecord
from streams.stores.session_store import read_sessions
from streams.turn import AssistantId


class ChangedSession(Struct, frozen=True):
    """A record, and what is known of its session by now."""

    record: SessionRecord
    session: Session | None  # None: it is no more
    evidence: SessionEvidence = NO_EVIDENCE  # what models have said of it


def changed_sessions(connection: Connection, records: Iterable[SessionRecord]) -> Iterator[ChangedSession]:
    """Each record with its session as it is stored."""
    named: dict[AssistantId, dict[SessionId, SessionRecord]] = {}
    for record in records:
        named.setdefault(record.assistant_id, {})[record.session_id] = record
    for assistant_id, sessions in named.items():
        stored = {found.session_id: found for found in read_sessions(connection, assistant_id, sessions)}
        for key, record in sessions.items():
            yield ChangedSession(record, stored.get(key))


def judged_sessions(
    connection: Connection, records: Iterable[SessionRecord], settings: EvidenceSettings
) -> list[ChangedSession]:
    """The same with what models have said of them, as far as the settings want it."""
    changed = list(changed_sessions(connection, records))
    evidence = stored_evidence(
        connection, [item.session for item in changed if item.session is not None], settings
    )
    return [
        ChangedSession(item.record, item.session, evidence.get(item.record.session_id, NO_EVIDENCE))
        for item in changed
    ]
