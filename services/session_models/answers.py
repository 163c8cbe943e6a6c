"""Answers: what models say of each turn of a log, in its order; and what is stored of turns."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from services.errors import StateError
from services.session_models.kind import SessionModelKind, TurnVerdicts
from streams.session import Session
from streams.stores.database_schema import chunks
from streams.stores.session_store import read_sessions, session_ids
from streams.turn import AssistantId, EventId, TurnEvent
from streams.verdict import JudgedTurn

M = TypeVar("M")
T = TypeVar("T")
V = TypeVar("V")

SESSIONS_AT_A_TIME = 1_000
"""Between two steps of a progress bar."""

SESSIONS_READ_TOGETHER = 500
"""From the database. Raised, more memory; lowered, more queries."""


def session_answers(
    kind: SessionModelKind[M, V],
    log: Iterable[TurnEvent],
    sessions: Iterable[Session],
    model_of: Callable[[AssistantId], M | None],
    said: Callable[[Session, V], Iterable[tuple[EventId, T]]],
    on_judged: Callable[[int], None] = lambda sessions: None,
) -> Iterator[T]:
    """What models say of each turn, in the order of the log; a turn that comes twice is spoken of once.

    Args:
        kind: of the models.
        log: of any assistants, in any order.
        sessions: that the log is made of.
        model_of: the model of an assistant; it is asked for that of all before anything is judged.
        said: what a verdict says of the turns of a session, by event.
        on_judged: is told how many sessions were judged since it was last told.

    Raises:
        StateError: an assistant of the log has no model.
        kind.refusal: a session cannot be judged.
    """
    by_assistant: dict[AssistantId, list[Session]] = {}
    for session in sessions:
        by_assistant.setdefault(session.assistant_id, []).append(session)
    models: dict[AssistantId, M] = {}
    for assistant_id in by_assistant:
        if (model := model_of(assistant_id)) is None:
            raise StateError(f"there is no {kind.title} for assistant {assistant_id!r}: {kind.remedy}")
        models[assistant_id] = model
    found: dict[tuple[str, str], T] = {}
    for assistant_id, of_assistant in by_assistant.items():
        for some in chunks(of_assistant, SESSIONS_AT_A_TIME):
            for session, verdict in zip(some, kind.judge(models[assistant_id], some), strict=True):
                found.update(((assistant_id, key), answer) for key, answer in said(session, verdict))
            on_judged(len(some))
    for turn in log:
        answer = found.pop((turn.assistant_id, turn.event_id), None)
        if answer is not None:
            yield answer


def judged_turns(session: Session, verdicts: Sequence[V]) -> Iterator[tuple[EventId, JudgedTurn[V]]]:
    """The turns of a session with their verdicts, by event."""
    for turn, verdict in zip(session.turns, verdicts, strict=True):
        yield EventId(turn.event_id), JudgedTurn(turn, session.session_id, verdict)


def stored_verdicts(
    connection: Connection,
    assistant_id: AssistantId,
    turns: TurnVerdicts,
    on_read: Callable[[int], None] = lambda sessions: None,
) -> Iterator[JudgedTurn[Any]]:
    """The turns of an assistant with what is stored of them, by the start of the session; a part at a time.

    A session that has changed since it was judged is left out.

    Args:
        connection: that reads.
        assistant_id: whose.
        turns: the verdicts that are wanted.
        on_read: is told how many sessions were read since it was last told.
    """
    for ids in chunks(session_ids(connection, assistant_id), SESSIONS_READ_TOGETHER):
        records = turns.store.records(connection, ids)
        sessions = {found.session_id: found for found in read_sessions(connection, assistant_id, records)}
        for key in ids:
            if key not in sessions or key not in records:
                continue
            verdicts = [
                turns.verdict(**{name: getattr(record, name) for name in turns.verdict.__struct_fields__})
                for record in records[key]
            ]
            if [one.event_id for one in records[key]] == [turn.event_id for turn in sessions[key].turns]:
                for _, judged in judged_turns(sessions[key], verdicts):
                    yield judged
        on_read(len(ids))
