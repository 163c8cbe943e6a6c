"""The request session store: the requests of every session, from which all of online rewriting is made.

Each assistant has an epoch, which counts the times that its sessions were changed by somebody who does not
hold its counts in memory (a user forgotten, a log learned beside the workers); who holds them then rebuilds
them. Beside it stands what the statistics and the index in the database were made of.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    String,
    Table,
    Text,
    delete,
    or_,
    select,
    update,
)

from rewriting.requests.history import RequestHistory
from rewriting.requests.step import SessionRequests
from streams.session import SessionId
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

REQUEST_SESSION = Table(
    "request_session",
    METADATA,
    Column("session_id", String(24), primary_key=True),
    Column("assistant_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False),
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("steps", LargeBinary, nullable=False),  # SessionRequests as MessagePack
)
Index("ix_request_session_user_key_end_ms", REQUEST_SESSION.c.user_key, REQUEST_SESSION.c.end_ms)
Index("ix_request_session_assistant_id_start_ms", REQUEST_SESSION.c.assistant_id, REQUEST_SESSION.c.start_ms)

REQUEST_EPOCH = Table(
    "request_epoch",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column(
        "written_epoch", Integer, nullable=False
    ),  # that the statistics and the index agree with; -1: none
    Column("min_users", Integer, nullable=False),  # with which they were written; 0: they were not
    Column("clean_version", Integer, nullable=False),  # of the index; see `RequestEpoch`
)

MOST_SESSIONS = 500
"""Of a user, in their history: several months of a busy one. Raised, a lookup takes longer, 10 us a session;
lowered, habits are forgotten sooner."""

_DECODER = msgspec.msgpack.Decoder(SessionRequests)
_ENCODER = msgspec.msgpack.Encoder()
_ROWS_AT_A_TIME = 10_000


class RequestEpoch(Struct, frozen=True):
    """How far what is made of an assistant's sessions is."""

    epoch: int
    written_epoch: int  # of the statistics and of what the index shall hold
    min_users: int  # with which these were written
    clean_version: int  # of the index: older bases may hold what is to be forgotten


def requests_of(connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, SessionRequests]:
    """Some sessions, where they are stored."""
    ids = list(session_ids)
    if not ids:
        return {}
    query = select(REQUEST_SESSION.c.steps).where(is_among(connection, REQUEST_SESSION.c.session_id, ids))
    return {session.session_id: session for session in map(_DECODER.decode, connection.scalars(query))}


def all_requests(connection: Connection, assistant_id: AssistantId) -> Iterator[SessionRequests]:
    """All sessions of an assistant, by the time of their first request, then by id."""
    query = (
        select(REQUEST_SESSION.c.steps)
        .where(REQUEST_SESSION.c.assistant_id == assistant_id)
        .order_by(REQUEST_SESSION.c.start_ms, REQUEST_SESSION.c.session_id)
    )
    for steps in connection.scalars(query.execution_options(yield_per=_ROWS_AT_A_TIME)):
        yield _DECODER.decode(steps)


def store_requests(connection: Connection, sessions: Iterable[SessionRequests]) -> None:
    """Stores sessions, each at most once; those without steps are dropped."""
    kept, dropped = [], []
    for session in sessions:
        if session.steps:
            kept.append(
                {
                    "session_id": session.session_id,
                    "assistant_id": session.assistant_id,
                    "user_key": user_key(session.assistant_id, session.user_id),
                    "start_ms": session.steps[0].ts_ms,
                    "end_ms": session.end_ms,
                    "steps": _ENCODER.encode(session),
                }
            )
        else:
            dropped.append(session.session_id)
    upsert(connection, REQUEST_SESSION, kept)
    if dropped:
        is_dropped = is_among(connection, REQUEST_SESSION.c.session_id, dropped)
        connection.execute(delete(REQUEST_SESSION).where(is_dropped))


def read_history(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, limit: int = MOST_SESSIONS
) -> RequestHistory:
    """What a user has asked for in their most recent sessions; empty for a user who is not known."""
    return RequestHistory(reversed(recent_sessions(connection, assistant_id, user_id, limit)))


def recent_sessions(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, limit: int = MOST_SESSIONS
) -> list[SessionRequests]:
    """The most recent sessions of a user, the newest first."""
    rows = _recent_rows(connection, assistant_id, user_id, limit)
    sessions = [_DECODER.decode(row.steps) for row in rows]
    return [session for session in sessions if session.user_id == user_id]


def forget_user_requests(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Deletes all sessions of a user; the statistics and the index follow when they are next rebuilt."""
    deleted = connection.execute(
        delete(REQUEST_SESSION).where(
            REQUEST_SESSION.c.user_key == user_key(assistant_id, user_id),
            REQUEST_SESSION.c.assistant_id == assistant_id,
        )
    )
    if deleted.rowcount:
        start_request_epoch(connection, assistant_id)


def lock_requests(connection: Connection, assistant_id: AssistantId) -> RequestEpoch:
    """Keeps others from changing the sessions of an assistant until the transaction ends.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose sessions.
    """
    row = {
        "assistant_id": assistant_id,
        "epoch": 0,
        "written_epoch": -1,
        "min_users": 0,
        "clean_version": 0,
    }
    upsert(connection, REQUEST_EPOCH, [row], update=())
    query = select(REQUEST_EPOCH).where(REQUEST_EPOCH.c.assistant_id == assistant_id).with_for_update()
    found = connection.execute(query).one()
    return RequestEpoch(found.epoch, found.written_epoch, found.min_users, found.clean_version)


def request_epochs(connection: Connection) -> dict[AssistantId, RequestEpoch]:
    """The epoch of each assistant that has one."""
    return {
        AssistantId(row.assistant_id): RequestEpoch(
            row.epoch, row.written_epoch, row.min_users, row.clean_version
        )
        for row in connection.execute(select(REQUEST_EPOCH))
    }


def not_written(connection: Connection, min_users: int) -> list[AssistantId]:
    """The assistants whose statistics and index do not agree with their sessions and this setting."""
    query = (
        select(REQUEST_EPOCH.c.assistant_id)
        .where(
            or_(
                REQUEST_EPOCH.c.epoch != REQUEST_EPOCH.c.written_epoch,
                REQUEST_EPOCH.c.min_users != min_users,
            )
        )
        .order_by(REQUEST_EPOCH.c.assistant_id)
    )
    return [AssistantId(assistant_id) for assistant_id in connection.scalars(query)]


def start_request_epoch(connection: Connection, assistant_id: AssistantId, *, written: bool = False) -> int:
    """Tells everybody who holds the counts in memory to rebuild them; gives the new epoch.

    Args:
        connection: in the transaction in which the sessions were changed.
        assistant_id: whose sessions.
        written: whether the statistics and the index agree with them already.
    """
    epoch = lock_requests(connection, assistant_id).epoch + 1
    values = {"epoch": epoch, "written_epoch": epoch} if written else {"epoch": epoch}
    connection.execute(
        update(REQUEST_EPOCH).where(REQUEST_EPOCH.c.assistant_id == assistant_id).values(**values)
    )
    return epoch


def mark_written(
    connection: Connection, assistant_id: AssistantId, min_users: int, clean_version: int
) -> None:
    """Says that the statistics and the index agree with the sessions.

    Args:
        connection: in the transaction in which they were written.
        assistant_id: whose sessions.
        min_users: with which they were written.
        clean_version: of the index, from which on it holds nothing that is to be forgotten.
    """
    connection.execute(
        update(REQUEST_EPOCH)
        .where(REQUEST_EPOCH.c.assistant_id == assistant_id)
        .values(written_epoch=REQUEST_EPOCH.c.epoch, min_users=min_users, clean_version=clean_version)
    )


def _recent_rows(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, limit: int
) -> Sequence[Row[Any]]:
    """The newest sessions first."""
    is_postgres = connection.dialect.name == "postgresql"
    statement = _RECENT if is_postgres else _RECENT.replace("%s", "?")
    keys = user_key(assistant_id, user_id), assistant_id, limit
    return connection.exec_driver_sql(statement, keys).all()


_RECENT = (
    "SELECT steps FROM request_session WHERE user_key = %s AND assistant_id = %s "
    "ORDER BY end_ms DESC, session_id DESC LIMIT %s"
)
"""As text: composing it would take longer than reading."""
