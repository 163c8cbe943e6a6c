"""Replaying a log: what the lookup API would have answered at each turn."""

from collections.abc import Iterable, Iterator

from msgspec import Struct

from labeling.question import question_before
from rewriting.lookup_table import LookupTable
from rewriting.rewrite import Method, Scope
from rewriting.understanding_confidence import turn_confidence
from streams.turn import EventId, TurnEvent


class ReplayedTurn(Struct, frozen=True):
    """One line of output."""

    event_id: EventId
    rewrite: str | None
    method: Method | None
    scope: Scope | None
    score: float | None  # 0..1


def replay_turns(turns: Iterable[TurnEvent], tables: dict[str, LookupTable]) -> Iterator[ReplayedTurn]:
    """Answers for each turn, in the given order.

    Args:
        turns: in order of time; nothing after a turn is looked at for its answer.
        tables: by assistant; none: nothing is known.
    """
    previous: dict[tuple[str, str, str], TurnEvent] = {}  # the last turn of each dialogue
    for turn in turns:
        question = question_before(turn, None)
        if turn.dialogue_id is not None:
            dialogue = (turn.assistant_id, turn.user_id, turn.dialogue_id)
            question = question_before(turn, previous.get(dialogue))
            previous[dialogue] = turn
        table = tables.get(turn.assistant_id)
        answer = (
            table.look_up(turn.request.text, turn.user_id, turn_confidence(turn), question) if table else None
        )
        rewrite = answer.rewrite if answer else None
        if rewrite is None:
            yield ReplayedTurn(EventId(turn.event_id), None, None, None, None)
        else:
            yield ReplayedTurn(
                EventId(turn.event_id), rewrite.text, rewrite.method, rewrite.scope, rewrite.score
            )
