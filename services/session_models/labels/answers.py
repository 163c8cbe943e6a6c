"""Labelling a log: the labels of each of its turns; and those that are stored."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sqlalchemy import Connection

from labeling.labels.labelled_turn import LabelledTurn
from labeling.labels.store import LABEL_STORE, LabelRecord
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from services.session_models.answers import joined_answers, model_answers, stored_answers, turn_answers
from services.session_models.labels.kind import KIND
from streams.session import Session
from streams.turn import AssistantId, TurnEvent


def find_labels(
    log: Iterable[TurnEvent],
    sessions: Iterable[Session],
    generator_of: Callable[[AssistantId], LabelGenerator | None],
    on_found: Callable[[int], None] = lambda sessions: None,
) -> Iterator[LabelledTurn]:
    """The labels of each turn, in the order of the log; a turn that comes twice is labelled once.

    Args:
        log: of any assistants, in any order.
        sessions: that the log is made of.
        generator_of: the label model of an assistant.
        on_found: is told how many sessions were labelled since it was last told.

    Raises:
        StateError: an assistant of the log has no label model.
        LabelInputError: a session cannot be labelled.
    """
    answer_of = model_answers(
        KIND, generator_of, lambda generator: joined_answers(partial(KIND.judge, generator), LabelledTurn)
    )
    return turn_answers(log, sessions, answer_of, on_found)


def read_labels(
    connection: Connection,
    assistant_id: AssistantId,
    on_read: Callable[[int], None] = lambda sessions: None,
) -> Iterator[LabelledTurn]:
    """The stored labels of an assistant with their turns, by the start of the session; a part at a time.

    A session that has changed since it was labelled is left out.

    Args:
        connection: that reads.
        assistant_id: whose.
        on_read: is told how many sessions were read since it was last told.
    """
    for session, records in stored_answers(connection, assistant_id, LABEL_STORE, on_read):
        for turn, record in zip(session.turns, records, strict=True):
            yield LabelledTurn(turn, session.session_id, _label(record))


def _label(record: LabelRecord) -> TurnLabel:
    return TurnLabel(**{name: getattr(record, name) for name in TurnLabel.__struct_fields__})
