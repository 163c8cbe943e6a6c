"""Backfill: what a worker does with sessions as they come, done with all stored ones in one go."""

from collections.abc import Iterable
from typing import TypeVar

import structlog
from msgspec import Struct
from sqlalchemy import Engine

from services.assistant_work import AssistantWork
from services.session_models.effect import NewVerdicts
from services.session_models.in_use import CurrentModels
from services.session_models.judging import judged_or_refused
from services.session_models.kind import SessionModelKind
from streams.session import SessionId
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


class Backfill(Struct, frozen=True, kw_only=True):
    """What was judged."""

    assistant_id: AssistantId
    model: str  # name of the one in use
    judged: int  # sessions that this model had not judged
    refused: int  # sessions that it cannot judge
    in_words: str  # one line for people


def backfill(
    kind: SessionModelKind[M, V], work: AssistantWork, in_use: tuple[str, M] | None = None
) -> Backfill | None:
    """Judges all sessions of an assistant with the model in use, and brings up to date what learns from it.

    Sessions that this very model has judged as they are now are not judged again; what depends on verdicts
    becomes what the settings make of them all the same. What is stored is that which the worker stores, so it
    does not matter which of them comes first; the worker publishes it. Where it was killed, the next call
    goes on. A part of the sessions is in memory at a time.

    Args:
        kind: of the model.
        work: whose sessions.
        in_use: the name of the model and the model, where the caller has it; None: it is loaded.

    Returns:
        What was judged; None where there is no model.
    """
    engine, assistant_id = work.engine, work.assistant_id
    in_use = in_use or CurrentModels(engine, work.settings.state_folder, kind).of(assistant_id)
    if in_use is None:
        return None
    effect = kind.effect(engine, work.settings, work.clock_ms)
    with reading(engine) as connection:
        every_id = session_ids(connection, assistant_id)
    bar = work.progress.add_task(kind.name, total=len(every_id)) if work.progress else None
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
            as_judged = tuple(x for x in judged if now.get(x.session.session_id) == x.session)
            effect.renew(
                connection, assistant_id, NewVerdicts(in_use[0], tuple(now.values()), as_judged, void)
            )
        if work.progress and bar is not None:
            work.progress.advance(bar, len(ids))
    with engine.begin() as connection:
        effect.finish(connection, assistant_id)
    with reading(engine) as connection:
        summary = effect.summary(connection, assistant_id)
    refused = f", {n_refused:,} refused" if n_refused else ""
    return Backfill(
        assistant_id=assistant_id,
        model=in_use[0],
        judged=n_judged,
        refused=n_refused,
        in_words=f"{kind.judged_as.format(n_judged)}{refused}; {summary}",
    )


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
