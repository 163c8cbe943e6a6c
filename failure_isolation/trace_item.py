"""Trace items: what the components of an assistant wrote down of a turn, as texts with numbers.

Each item has a place of its own, so that a model knows what it is and how high it ranked: three
interpretations, three alternative recognitions, six entities, the action, the wake word.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz

from failure_isolation.failure_part import FailurePart
from labeling.turn_features import intent_name
from streams.turn import Entity, NluHypothesis, TurnEvent

INTERPRETATIONS: Final = 3
ALTERNATIVES: Final = 3
ENTITIES: Final = 6

PLACES: Final = INTERPRETATIONS + ALTERNATIVES + ENTITIES + 2
"""Of the items of a turn; the last two are the action and the wake word."""

NUMBERS: Final = 8
"""Of an item: confidence, how far it is below the first of its kind, how well it agrees with the next turn,
two that depend on the kind; then flags that are 1 where one of the first three is missing; -1..1."""

_MOST_CHARACTERS: Final = 300
_MOST_VALUES: Final = 5


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
    n_heard = min(len(turn.request.asr), 1 + ALTERNATIVES)
    n_named = min(len(turn.entities), ENTITIES)
    n_meant = min(len(turn.nlu), INTERPRETATIONS)
    items = [
        *_ranked([_interpretation(turn, i, after) for i in range(n_meant)], INTERPRETATIONS),
        *_ranked([_alternative(turn, i, after) for i in range(1, n_heard)], ALTERNATIVES),
        *_ranked([_entity(turn, i, after) for i in range(n_named)], ENTITIES),
        _action(turn),
        _wake(turn),
    ]
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


def _interpretation(turn: TurnEvent, rank: int, after: TurnEvent | None) -> TraceItem:
    """Text: names and slots. Numbers: share of the values that stand in the request, number of values."""
    hypothesis = turn.nlu[rank]
    values = [slot.value for slot in hypothesis.slots if slot.value]
    said = turn.request.text.lower()
    found = sum(value.lower() in said for value in values) / len(values) if values else 1.0
    agrees = None
    if after is not None and after.nlu:
        agrees = float(intent_name(hypothesis) == intent_name(after.nlu[0]))
    return TraceItem(
        "hypotheses" if rank else "understanding",
        _in_words(hypothesis),
        _numbers(
            hypothesis.confidence,
            turn.nlu[0].confidence,
            agrees,
            found,
            min(len(values), _MOST_VALUES) / _MOST_VALUES,
        ),
    )


def _alternative(turn: TurnEvent, rank: int, after: TurnEvent | None) -> TraceItem:
    """Numbers: likeness to the request, by letters and by words."""
    other = turn.request.asr[rank]
    text, first = _compared(other.text), _compared(turn.request.text)
    agrees = None if after is None else fuzz.ratio(text, _compared(after.request.text)) / 100
    return TraceItem(
        "alternatives",
        other.text,
        _numbers(
            other.confidence,
            turn.request.asr[0].confidence,
            agrees,
            fuzz.ratio(text, first) / 100,
            fuzz.token_set_ratio(text, first) / 100,
        ),
    )


def _entity(turn: TurnEvent, rank: int, after: TurnEvent | None) -> TraceItem:
    """Numbers: likeness of the name and what it was taken for (0: nothing); whether the name was said."""
    entity = turn.entities[rank]
    name, found = _compared(entity.mention), _compared(entity.resolved or "")
    agrees = None
    if after is not None and found:
        taken = {_compared(other.resolved or "") for other in after.entities[:1]}
        agrees = float(found in taken or found in _compared(after.request.text))
    return TraceItem(
        "entities",
        _entity_words(entity),
        _numbers(
            entity.confidence,
            turn.entities[0].confidence,
            agrees,
            fuzz.ratio(name, found) / 100 if found else 0.0,
            float(bool(name) and name in turn.request.text.lower()),
        ),
    )


def _action(turn: TurnEvent) -> TraceItem | None:
    """Numbers: likeness of the action and the intent; whether there is an answer in words."""
    if turn.response is None or turn.response.action is None:
        return None
    action = _spaced(turn.response.action)
    intent = _spaced(f"{turn.nlu[0].domain or ''} {turn.nlu[0].intent}") if turn.nlu else ""
    like = fuzz.token_set_ratio(action, intent) / 100
    return TraceItem("status", action, _numbers(None, None, None, like, float(bool(turn.response.text))))


def _wake(turn: TurnEvent) -> TraceItem | None:
    if turn.request.wake_confidence is None:
        return None
    return TraceItem("wake", "", _numbers(turn.request.wake_confidence, None, None, 0.0, 0.0))


def _numbers(
    confidence: float | None, best: float | None, agrees: float | None, first: float, second: float
) -> tuple[float, ...]:
    below = None if confidence is None or best is None else best - confidence
    may_lack = (confidence, below, agrees)
    kept = [0.0 if value is None else min(max(value, -1.0), 1.0) for value in may_lack]
    return (*kept, first, second, *(float(value is None) for value in may_lack))


def _compared(text: str) -> str:
    return text[:_MOST_CHARACTERS].lower()


def _in_words(hypothesis: NluHypothesis) -> str:
    said = [hypothesis.domain or "", hypothesis.intent]
    for slot in hypothesis.slots:
        said += [slot.name, slot.value or ""]
    return _spaced(" ".join(part for part in said if part))


def _entity_words(entity: Entity) -> str:
    return _spaced(" ".join(part for part in (entity.resolved, entity.type, entity.mention) if part))


def _spaced(name: str) -> str:
    """Names of a program as words."""
    return name[:_MOST_CHARACTERS].replace("_", " ").replace(".", " ")
