"""Session announcing: sessions whose turns are as before go to their topic again."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Engine

from streams.session import SessionId
from streams.session_record import SessionRecord, encode_session
from streams.stores.database_schema import reading
from streams.stores.session_notice import NotedSession
from streams.stores.session_store import read_sessions
from streams.stream_task import OutgoingRecord
from streams.turn import AssistantId


def announcements(engine: Engine, topic: str, noted: Iterable[NotedSession]) -> Iterator[OutgoingRecord]:
    """The records of sessions as they are now; none of those that are no more.

    Args:
        engine: of the database.
        topic: of the sessions.
        noted: the sessions.
    """
    by_assistant: dict[AssistantId, list[SessionId]] = {}
    for item in noted:
        by_assistant.setdefault(item.assistant_id, []).append(item.session_id)
    if not by_assistant:
        return
    with reading(engine) as connection:
        sessions = [
            session
            for assistant_id, ids in by_assistant.items()
            for session in read_sessions(connection, assistant_id, ids)
        ]
    for session in sessions:
        record = SessionRecord(
            session_id=session.session_id,
            assistant_id=session.assistant_id,
            user_id=session.user_id,
            turns=session.turns,
        )
        yield OutgoingRecord(topic=topic, key=session.assistant_id.encode(), value=encode_session(record))
