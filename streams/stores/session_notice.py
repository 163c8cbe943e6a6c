"""Session notices: sessions that are to be announced again.

Those who learn from sessions read what is known of them when their records come. Where that has changed and
the session has not, the task that has changed it notes it here, until it has sent its record once more.
"""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, Text, delete, select

from streams.session import Session, SessionId
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.stores.session_store import is_of_user, user_key
from streams.turn import AssistantId, UserId

SESSION_NOTICE = Table(
    "session_notice",
    METADATA,
    Column("task", String(20), primary_key=True),  # that announces it
    Column("session_id", String(24), primary_key=True),
    Column("assistant_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("source_partition", Integer, nullable=False, index=True),  # of the sessions topic
)


class NotedSession(Struct, frozen=True):
    """A session of which more is known than those who learn from it were told."""

    session_id: SessionId
    assistant_id: AssistantId


def note_sessions(
    connection: Connection, task: str, sessions: Iterable[Session], partitions: Mapping[SessionId, int]
) -> None:
    """Notes sessions for a task, with the partitions of the sessions topic that they came from."""
    rows = [
        {
            "task": task,
            "session_id": session.session_id,
            "assistant_id": session.assistant_id,
            "user_key": user_key(session.assistant_id, session.user_id),
            "source_partition": partitions[session.session_id],
        }
        for session in sessions
    ]
    upsert(connection, SESSION_NOTICE, rows)


def noted_sessions(connection: Connection, task: str, partitions: Collection[int]) -> list[NotedSession]:
    """The sessions of these partitions that a task is to announce, sorted by id."""
    rows = SESSION_NOTICE.c
    query = select(rows.session_id, rows.assistant_id).where(
        rows.task == task, rows.source_partition.in_(list(partitions))
    )
    return [
        NotedSession(SessionId(key), AssistantId(assistant_id))
        for key, assistant_id in connection.execute(query.order_by(rows.session_id))
    ]


def drop_notices(connection: Connection, task: str, session_ids: Iterable[SessionId]) -> None:
    """Says that those who learn from these sessions know what a task had to announce."""
    named = is_among(connection, SESSION_NOTICE.c.session_id, list(session_ids))
    connection.execute(delete(SESSION_NOTICE).where(SESSION_NOTICE.c.task == task, named))


def forget_user_notices(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Drops the notices of a user's sessions."""
    connection.execute(delete(SESSION_NOTICE).where(is_of_user(SESSION_NOTICE, assistant_id, user_id)))
