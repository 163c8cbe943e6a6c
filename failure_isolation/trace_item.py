"""Trace items: what the components of an assistant wrote down of a turn, as texts with numbers.

Each item has a place of its own, so that a model knows what it is and how high it ranked: three
interpretations, three alternative recognitions, six entities, the action, the wake word.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz

from failure_isolation.part import FailurePart
from labeling.turns.features import intent_name
from labeling.turns.texts import said_by
from streams.turn import NluHypothesis, TurnEvent

INTERPRETATIONS: Final = 3
ALTERNATIVES: Final = 3
ENTITIES: Final = 6

PLACES: Final = INTERPRETATIONS + ALTERNATIVES + ENTITIES + 2
"""Of the items of a turn; the last two are the action and the wake word."""

NUMBERS: Final = 10
"""Of an item, -1..1: confidence; how far it is below the first of its kind; how well it agrees with the next
turn; likeness or size, by kind; how much of it stands in the request, in the response, and in what else may
have been said; then flags that are 1 where one of the first three is missing."""

_MOST_CHARACTERS: Final = 300
_MOST_VALUES: Final = 5


class _Around(NamedTuple):
    """What an item is compared with; what is hidden is empty, or None."""

    request: str
    response: str
    others: str  # what else may have been said
    after: TurnEvent | None


class TraceItem(Struct, frozen=True):
    """One line of what a component wrote down."""

    part: FailurePart
    text: str  # may be empty
    numbers: tuple[float, ...]  # (NUMBERS,)


def trace_items(
    turn: TurnEvent, hidden: frozenset[FailurePart], after: TurnEvent | None = None
) -> list[TraceItem | None]:
    """The items of a turn, one for each of `PLACES`; None where there is none, or it is hidden.

    Args:
        turn: whose components.
        hidden: what is not read.
        after: the next turn, where it may be read.
    """
    response = None if "responses" in hidden else said_by(turn)
    others = () if "alternatives" in hidden else turn.request.asr[1 : 1 + ALTERNATIVES]
    around = _Around(
        _compared(turn.request.text),
        _compared(response or ""),
        _compared("\n".join(other.text for other in others)),
        after,
    )
    n_heard = min(len(turn.request.asr), 1 + ALTERNATIVES)
    n_named = min(len(turn.entities), ENTITIES)
    n_meant = min(len(turn.nlu), INTERPRETATIONS)
    items = [
        *_ranked([_interpretation(turn, i, around) for i in range(n_meant)], INTERPRETATIONS),
        *_ranked([_alternative(turn, i, around) for i in range(1, n_heard)], ALTERNATIVES),
        *_ranked([_entity(turn, i, around) for i in range(n_named)], ENTITIES),
        _action(turn, around),
        _wake(turn),
    ]
    if "understanding" in hidden:
        hidden |= {"hypotheses"}  # they are compared with what was understood
    return [None if item is None or item.part in hidden else item for item in items]


def item_numbers(items: Sequence[TraceItem | None]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Numbers (items, NUMBERS), 0 where there is no item, and whether there is one, (items,)."""
    numbers = np.zeros((len(items), NUMBERS), dtype=np.float32)
    there = np.zeros(len(items), dtype=np.bool_)
    for row, item in enumerate(items):
        if item is not None:
            numbers[row] = item.numbers
            there[row] = True
    return numbers, there


def _ranked(found: list[TraceItem], places: int) -> list[TraceItem | None]:
    return [*found, *([None] * (places - len(found)))]


def _interpretation(turn: TurnEvent, rank: int, around: _Around) -> TraceItem:
    """Text: names and slots. Its size: the number of values."""
    hypothesis = turn.nlu[rank]
    values = [slot.value for slot in hypothesis.slots if slot.value]
    agrees = None
    if around.after is not None and around.after.nlu:
        agrees = float(intent_name(hypothesis) == intent_name(around.after.nlu[0]))
    return TraceItem(
        "hypotheses" if rank else "understanding",
        _in_words(hypothesis),
        _numbers(
            (hypothesis.confidence, turn.nlu[0].confidence, agrees),
            min(len(values) / _MOST_VALUES, 1.0),
            _standing(values, around),
        ),
    )


def _alternative(turn: TurnEvent, rank: int, around: _Around) -> TraceItem:
    """Likeness: to the request, by letters. How much of it stands anywhere: by words."""
    other = turn.request.asr[rank]
    text, after = _compared(other.text), around.after
    agrees = None if after is None else fuzz.ratio(text, _compared(after.request.text)) / 100
    in_request, in_response = (
        fuzz.token_set_ratio(text, place) / 100 for place in (around.request, around.response)
    )
    return TraceItem(
        "alternatives",
        other.text,
        _numbers(
            (other.confidence, turn.request.asr[0].confidence, agrees),
            fuzz.ratio(text, around.request) / 100,
            (in_request, in_response, 0.0),
        ),
    )


def _entity(turn: TurnEvent, rank: int, around: _Around) -> TraceItem:
    """Likeness: of the name and what it was taken for; 0: nothing."""
    entity = turn.entities[rank]
    name, found = _compared(entity.mention), _compared(entity.resolved or "")
    agrees = None
    if around.after is not None and found:
        taken = {_compared(other.resolved or "") for other in around.after.entities[:1]}
        agrees = float(found in taken or found in _compared(around.after.request.text))
    return TraceItem(
        "entities",
        _spaced(" ".join(part for part in (entity.resolved, entity.type, entity.mention) if part)),
        _numbers(
            (entity.confidence, turn.entities[0].confidence, agrees),
            fuzz.ratio(name, found) / 100 if found else 0.0,
            _standing([found] if found else [], around),
        ),
    )


def _action(turn: TurnEvent, around: _Around) -> TraceItem | None:
    """Likeness: of the action and the intent. It stands in the response where there is one in words."""
    if turn.response is None or turn.response.action is None:
        return None
    action = _spaced(turn.response.action)
    intent = _spaced(f"{turn.nlu[0].domain or ''} {turn.nlu[0].intent}") if turn.nlu else ""
    like = fuzz.token_set_ratio(action, intent) / 100
    return TraceItem(
        "status", action, _numbers((None, None, None), like, (0.0, float(bool(around.response)), 0.0))
    )


def _wake(turn: TurnEvent) -> TraceItem | None:
    if turn.request.wake_confidence is None:
        return None
    return TraceItem("wake", "", _numbers((turn.request.wake_confidence, None, None), 0.0, (0.0, 0.0, 0.0)))


def _standing(values: Sequence[str], around: _Around) -> tuple[float, float, float]:
    """Shares of values that stand in the request, in the response, and in what else may have been said."""
    in_request, in_response, in_others = (
        sum(value.lower() in place for value in values) / len(values) if values else 0.0
        for place in (around.request, around.response, around.others)
    )
    return in_request, in_response, in_others


def _numbers(
    may_lack: tuple[float | None, float | None, float | None],
    like: float,
    standing: tuple[float, float, float],
) -> tuple[float, ...]:
    """All of an item, from its confidence, that of the first of its kind, and how well it agrees."""
    confidence, first, agrees = may_lack
    below = None if confidence is None or first is None else first - confidence
    known = (confidence, below, agrees)
    kept = [0.0 if value is None else min(max(value, -1.0), 1.0) for value in known]
    return (*kept, like, *standing, *(float(value is None) for value in known))


def _compared(text: str) -> str:
    return text[:_MOST_CHARACTERS].lower()


def _in_words(hypothesis: NluHypothesis) -> str:
    said = [hypothesis.domain or "", hypothesis.intent]
    for slot in hypothesis.slots:
        said += [slot.name, slot.value or ""]
    return _spaced(" ".join(part for part in said if part))


def _spaced(name: str) -> str:
    """Names of a program as words."""
    return name[:_MOST_CHARACTERS].replace("_", " ").replace(".", " ")
