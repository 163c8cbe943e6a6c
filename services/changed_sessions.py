"""Changed sessions: what the sessions that records name are now."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Connection

from streams.session import Session, SessionId
from streams.session_record import SessionRecord
from streams.session_store import read_sessions
from streams.turn import AssistantId


def changed_sessions(
    connection: Connection, records: Iterable[SessionRecord]
) -> Iterator[tuple[SessionRecord, Session | None]]:
    """Each record with its session as it is stored; None where it is no more."""
    named: dict[AssistantId, dict[SessionId, SessionRecord]] = {}
    for record in records:
        named.setdefault(record.assistant_id, {})[record.session_id] = record
    for assistant_id, sessions in named.items():
        stored = {found.session_id: found for found in read_sessions(connection, assistant_id, sessions)}
        for key, record in sessions.items():
            yield record, stored.get(key)
