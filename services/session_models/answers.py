"""Turn answers: what is said of each turn of a log, in its order, by what answers for its assistant.

What is stored of turns is such answers too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from services.errors import StateError
from services.session_models.kind import SessionModelKind
from streams.session import Session, SessionId
from streams.stores.database_schema import chunks
from streams.stores.session_store import read_sessions, session_ids
from streams.stores.turn_store import TurnRecord, TurnStore
from streams.turn import AssistantId, EventId, TurnEvent

M = TypeVar("M")
T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R", bound=TurnRecord)

SESSIONS_AT_A_TIME = 1_000
"""Between two steps of a progress bar."""

SESSIONS_READ_TOGETHER = 500
"""From the database. Raised, more memory; lowered, more queries."""

Answer = Callable[[Sequence[Session]], Iterable[tuple[EventId, T]]]
"""What is said of each turn of some sessions."""


def turn_answers(
    log: Iterable[TurnEvent],
    sessions: Iterable[Session],
    answer_of: Callable[[AssistantId], Answer[T]],
    on_found: Callable[[int], None] = lambda sessions: None,
) -> Iterator[T]:
    """What is said of each turn, in the order of the log; a turn that comes twice is spoken of once.

    Args:
        log: of any assistants, in any order.
        sessions: that the log is made of.
        answer_of: what answers for an assistant; it is asked for that of all before anything is answered.
        on_found: is told how many sessions were answered since it was last told.
    """
    by_assistant: dict[AssistantId, list[Session]] = {}
    for session in sessions:
        by_assistant.setdefault(session.assistant_id, []).append(session)
    answers = {assistant_id: answer_of(assistant_id) for assistant_id in by_assistant}
    found: dict[tuple[str, str], T] = {}
    for assistant_id, of_assistant in by_assistant.items():
        for start in range(0, len(of_assistant), SESSIONS_AT_A_TIME):
            some = of_assistant[start : start + SESSIONS_AT_A_TIME]
            found.update(((assistant_id, key), said) for key, said in answers[assistant_id](some))
            on_found(len(some))
    for turn in log:
        said = found.pop((turn.assistant_id, turn.event_id), None)
        if said is not None:
            yield said


def model_answers(
    kind: SessionModelKind[M, Any],
    model_of: Callable[[AssistantId], M | None],
    answer_by: Callable[[M], Answer[T]],
) -> Callable[[AssistantId], Answer[T]]:
    """What answers for an assistant: its model.

    Args:
        kind: of the models.
        model_of: the model of an assistant.
        answer_by: what a model answers.

    Raises:
        StateError: from what is returned: an assistant has no model.
    """

    def answer_of(assistant_id: AssistantId) -> Answer[T]:
        model = model_of(assistant_id)
        if model is None:
            raise StateError(f"there is no {kind.title} for assistant {assistant_id!r}: {kind.remedy}")
        return answer_by(model)

    return answer_of


def joined_answers(
    judge: Callable[[Sequence[Session]], Iterable[Sequence[V]]],
    join: Callable[[TurnEvent, SessionId, V], T],
) -> Answer[T]:
    """An answer from what is said of whole sessions.

    Args:
        judge: what is said of each turn of each session.
        join: a turn, its session and what is said of it.
    """

    def answer(some: Sequence[Session]) -> Iterator[tuple[EventId, T]]:
        for session, verdicts in zip(some, judge(some), strict=True):
            for turn, verdict in zip(session.turns, verdicts, strict=True):
                yield EventId(turn.event_id), join(turn, session.session_id, verdict)

    return answer


def stored_answers(
    connection: Connection,
    assistant_id: AssistantId,
    store: TurnStore[R],
    on_read: Callable[[int], None] = lambda sessions: None,
) -> Iterator[tuple[Session, Sequence[R]]]:
    """The sessions of an assistant, by their start, with what is stored of each turn; a part at a time.

    A session that has changed since is left out.

    Args:
        connection: that reads.
        assistant_id: whose.
        store: of what is said.
        on_read: is told how many sessions were read since it was last told.
    """
    for ids in chunks(session_ids(connection, assistant_id), SESSIONS_READ_TOGETHER):
        records = store.records(connection, ids)
        sessions = {found.session_id: found for found in read_sessions(connection, assistant_id, records)}
        for key in ids:
            if key not in sessions or key not in records:
                continue
            judged = [record.event_id for record in records[key]]
            if judged == [turn.event_id for turn in sessions[key].turns]:
                yield sessions[key], records[key]
        on_read(len(ids))
