"""Session absorbing: what a judging task does with sessions as they come, done with all in one go."""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import structlog
from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Connection, Engine

from services.session_models.judging import judged_or_refused
from services.session_models.kind import SessionModelKind
from streams.session import Session, SessionId
from streams.stores.database_schema import chunks, reading
from streams.stores.session_store import lock_sessions, read_sessions, session_ids
from streams.turn import AssistantId
from streams.verdict import Judged

log = structlog.get_logger()

SESSIONS_AT_A_TIME = 500
"""Sessions judged and written together. Raised, more memory, and others wait longer for the lock of the
database; lowered, more transactions."""

M = TypeVar("M")
V = TypeVar("V")


class NewVerdicts(Struct, Generic[V], frozen=True):
    """Sessions as they are, with what is new of them."""

    sessions: tuple[Session, ...]
    judged: tuple[Judged[V], ...]  # those that this model had not judged
    void: tuple[SessionId, ...]  # of which what is stored holds no more


def absorb_sessions(
    engine: Engine,
    assistant_id: AssistantId,
    kind: SessionModelKind[M, V],
    in_use: tuple[str, M],
    keep: Callable[[Connection, NewVerdicts[V]], None],
    progress: Progress | None = None,
    title: str = "sessions",
) -> tuple[int, int]:
    """Judges all sessions of an assistant that the model has not judged as they are; a part at a time.

    Args:
        engine: of the database, with the sessions.
        assistant_id: whose sessions.
        kind: of the model.
        in_use: the name of the model, and the model.
        keep: stores what is new, in a transaction in which nobody else changes sessions.
        progress: shows how far it is.
        title: of its bar.

    Returns:
        How many sessions were judged, and how many cannot be.
    """
    with reading(engine) as connection:
        every_id = session_ids(connection, assistant_id)
    bar = progress.add_task(title, total=len(every_id)) if progress else None
    n_judged = n_refused = 0
    for ids in chunks(every_id, SESSIONS_AT_A_TIME):
        judged, n_new_refused = _judged(engine, assistant_id, ids, kind, in_use)
        n_judged += len(judged)
        n_refused += n_new_refused
        with engine.begin() as connection:
            lock_sessions(connection, alone=True)
            now = {found.session_id: found for found in read_sessions(connection, assistant_id, ids)}
            keys = {key: session.turns_key for key, session in now.items()}
            stored = kind.known(connection, ids)
            void = tuple(key for key, (_, turns) in stored.items() if keys.get(key) != turns)
            as_judged = tuple(x for x in judged if keys.get(x.session.session_id) == x.session.turns_key)
            keep(connection, NewVerdicts(tuple(now.values()), as_judged, void))
        if progress and bar is not None:
            progress.advance(bar, len(ids))
    return n_judged, n_refused


def _judged(
    engine: Engine,
    assistant_id: AssistantId,
    ids: Iterable[SessionId],
    kind: SessionModelKind[M, V],
    in_use: tuple[str, M],
) -> tuple[list[Judged[V]], int]:
    """What is said of sessions that this model has not judged as they are; and how many it cannot judge."""
    name, model = in_use
    with reading(engine) as connection:
        sessions = [
            session
            for session in read_sessions(connection, assistant_id, ids)
            if len(session.turns) >= kind.least_turns
        ]
        stored = kind.known(connection, [session.session_id for session in sessions])
    new = [x for x in sessions if stored.get(x.session_id) != (name, x.turns_key)]
    verdicts = judged_or_refused(kind, model, new)
    judged, n_refused = [], 0
    for session, verdict in zip(new, verdicts, strict=True):
        if isinstance(verdict, Exception):
            n_refused += 1
            log.warning("a session is not judged", session_id=session.session_id, reason=str(verdict))
        else:
            judged.append(Judged(session, name, verdict))
    return judged, n_refused
