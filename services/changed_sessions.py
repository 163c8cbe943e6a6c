"""Changed sessions: what the sessions that records name are now."""

from collections.abc import Iterable, Iterator

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.rephrase_link import RephraseLink
from rewriting.rephrase_settings import RephraseSettings
from rewriting.rephrase_store import links_of
from streams.session import Session, SessionId
from streams.session_record import SessionRecord
from streams.session_store import read_sessions
from streams.turn import AssistantId


class ChangedSession(Struct, frozen=True):
    """A record, and what is known of its session by now."""

    record: SessionRecord
    session: Session | None  # None: it is no more
    links: tuple[RephraseLink, ...] | None = None  # what a detector has found in it; None: none has judged it


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
    connection: Connection, records: Iterable[SessionRecord], settings: RephraseSettings
) -> list[ChangedSession]:
    """The same with the rephrases that were found in them, where the settings want that."""
    changed = list(changed_sessions(connection, records))
    if not settings.in_chains:
        return changed
    links = links_of(connection, [item.session for item in changed if item.session is not None])
    return [ChangedSession(item.record, item.session, links.get(item.record.session_id)) for item in changed]
