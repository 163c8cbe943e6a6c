"""Isolating the failures of a log: the failure point of each of its turns; and those that are stored."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sqlalchemy import Connection

from failure_isolation.file import IsolatedTurn
from failure_isolation.store import FAILURE_STORE
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.session_models.answers import joined_answers, model_answers, stored_answers, turn_answers
from services.session_models.failures.kind import KIND
from streams.session import Session
from streams.turn import AssistantId, TurnEvent


def find_failures(
    log: Iterable[TurnEvent],
    sessions: Iterable[Session],
    isolator_of: Callable[[AssistantId], FailureIsolator | None],
    on_found: Callable[[int], None] = lambda sessions: None,
) -> Iterator[IsolatedTurn]:
    """The failure point of each turn, in the order of the log; a turn that comes twice is read once.

    Args:
        log: of any assistants, in any order.
        sessions: that the log is made of.
        isolator_of: the failure model of an assistant.
        on_found: is told how many sessions were read since it was last told.

    Raises:
        StateError: an assistant of the log has no failure model.
        FailureInputError: a session of which this cannot be said.
    """
    answer_of = model_answers(
        KIND, isolator_of, lambda isolator: joined_answers(partial(KIND.judge, isolator), IsolatedTurn)
    )
    return turn_answers(log, sessions, answer_of, on_found)


def read_failures(
    connection: Connection,
    assistant_id: AssistantId,
    on_read: Callable[[int], None] = lambda sessions: None,
) -> Iterator[IsolatedTurn]:
    """The stored failures of an assistant with their turns, by the start of the session; a part at a time.

    A session that has changed since its failures were isolated is left out.

    Args:
        connection: that reads.
        assistant_id: whose.
        on_read: is told how many sessions were read since it was last told.
    """
    for session, records in stored_answers(connection, assistant_id, FAILURE_STORE, on_read):
        for turn, record in zip(session.turns, records, strict=True):
            said = {name: getattr(record, name) for name in TurnFailure.__struct_fields__}
            yield IsolatedTurn(turn, session.session_id, TurnFailure(**said))
