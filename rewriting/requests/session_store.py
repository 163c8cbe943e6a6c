"""The request session store: the requests of every session, from which all of online rewriting is made.

Beside the epoch of an assistant stands what the statistics and the index in the database were made of.
"""

from typing import Final

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Index, Integer, or_

from rewriting.requests.history import RequestHistory
from rewriting.requests.step import SessionRequests
from streams.stores.assistant_row import AssistantRows
from streams.stores.session_store import user_key
from streams.stores.step_store import Epoch, StepStore, epoch_table, step_table
from streams.turn import AssistantId, UserId

REQUEST_SESSION = step_table(
    "request_session",
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
)
Index("ix_request_session_user_key_end_ms", REQUEST_SESSION.c.user_key, REQUEST_SESSION.c.end_ms)
Index("ix_request_session_assistant_id_start_ms", REQUEST_SESSION.c.assistant_id, REQUEST_SESSION.c.start_ms)

REQUEST_EPOCH = epoch_table(
    "request_epoch",
    Column("written_epoch", Integer, nullable=False),
    Column("min_users", Integer, nullable=False),
    Column("clean_version", Integer, nullable=False),
)

MOST_SESSIONS = 500
"""Of a user, in their history: several months of a busy one. Raised, a lookup takes longer, 10 us a session;
lowered, habits are forgotten sooner."""


class RequestEpoch(Epoch, frozen=True):
    """How far what is made of an assistant's sessions is."""

    written_epoch: int = -1  # that the statistics and what the index shall hold agree with; -1: none
    min_users: int = 0  # with which these were written; 0: they were not
    clean_version: int = 0  # of the index: older bases may hold what is to be forgotten


REQUEST_STORE: Final = StepStore(
    REQUEST_SESSION,
    SessionRequests,
    AssistantRows(REQUEST_EPOCH, RequestEpoch),
    order=(REQUEST_SESSION.c.start_ms, REQUEST_SESSION.c.session_id),
    columns=lambda session: {"start_ms": session.steps[0].ts_ms, "end_ms": session.end_ms},
)

_DECODER = msgspec.msgpack.Decoder(SessionRequests)


def read_history(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, limit: int = MOST_SESSIONS
) -> RequestHistory:
    """What a user has asked for in their most recent sessions; empty for a user who is not known."""
    return RequestHistory(reversed(recent_sessions(connection, assistant_id, user_id, limit)))


def recent_sessions(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, limit: int = MOST_SESSIONS
) -> list[SessionRequests]:
    """The most recent sessions of a user, the newest first."""
    is_postgres = connection.dialect.name == "postgresql"
    statement = _RECENT if is_postgres else _RECENT.replace("%s", "?")
    keys = user_key(assistant_id, user_id), assistant_id, limit
    sessions = [_DECODER.decode(row.steps) for row in connection.exec_driver_sql(statement, keys).all()]
    return [session for session in sessions if session.user_id == user_id]


def not_written(connection: Connection, min_users: int) -> list[AssistantId]:
    """The assistants whose statistics and index do not agree with their sessions and this setting."""
    rows = REQUEST_EPOCH.c
    is_behind = or_(rows.epoch != rows.written_epoch, rows.min_users != min_users)
    return REQUEST_STORE.epochs.assistants(connection, is_behind)


def start_written_epoch(connection: Connection, assistant_id: AssistantId) -> int:
    """Starts an epoch with whose sessions the statistics and the index agree already; gives it."""
    epoch = REQUEST_STORE.start_epoch(connection, assistant_id)
    REQUEST_STORE.epochs.set(connection, assistant_id, written_epoch=epoch)
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
    REQUEST_STORE.epochs.set(
        connection,
        assistant_id,
        written_epoch=REQUEST_EPOCH.c.epoch,
        min_users=min_users,
        clean_version=clean_version,
    )


_RECENT = (
    "SELECT steps FROM request_session WHERE user_key = %s AND assistant_id = %s "
    "ORDER BY end_ms DESC, session_id DESC LIMIT %s"
)
"""As text: composing it would take longer than reading."""
