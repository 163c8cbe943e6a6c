"""Turn features: what is known of a turn beside its texts, as numbers for a model.

Categories are numbered: 0 is missing, 1 a value that was not seen in training. Numbers are standardised, each
with a flag that says whether it is missing; a missing one is 0.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz

from labeling.turns.dialogue_part import NOTHING_HIDDEN, Part
from streams.turn import NluHypothesis, TurnEvent

MISSING: Final = 0
UNSEEN: Final = 1

MOST_CATEGORIES: Final = 1_000
"""Of a feature: the most frequent ones are kept."""

_LEAST_SEEN: Final = 2  # times; a category that was seen once is learned as unseen
_MOST_COMPARED: Final = 300  # characters of a request that are compared with its neighbours
_WIDEST: Final = 5.0  # standard deviations: what is farther off is no better evidence

DISTANCES: Final = 9
"""Buckets of how many turns lie between two: 4 and more before, to the turn itself, to 4 and more after."""

_GAP_ENDS: Final = (5.0, 15.0, 45.0, 120.0, 600.0, math.inf)  # seconds

GAPS: Final = len(_GAP_ENDS) + 1
"""Buckets of the time between two turns; the last: not known, or hidden."""


class CategoryKind(NamedTuple):
    """A categorical feature."""

    part: Part
    value: Callable[[TurnEvent], str | None]


class NumberKind(NamedTuple):
    """A numerical feature; it is missing if any of the parts is hidden."""

    parts: frozenset[Part]
    value: Callable[["_Place"], float | None]


class _Place(NamedTuple):
    turn: TurnEvent
    before: TurnEvent | None
    after: TurnEvent | None
    n_before: int
    n_after: int


class DialogueFeatures(Struct, frozen=True):
    """The features of a dialogue of n turns."""

    categories: NDArray[np.int64]  # (n, kinds of categories)
    numbers: NDArray[
        np.float32
    ]  # (n, 2 * kinds of numbers): values, then flags that are 1 where one is missing
    distances: NDArray[np.int64]  # (n, n) bucket of how many turns after the row's turn the column's comes
    gaps: NDArray[np.int64]  # (n, n) bucket of the time between them
    seen: NDArray[np.bool_]  # (n, n) whether the row's turn may read the column's


class TurnFeatures(Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen in training: numbers of the categories, mean and spread of the numbers."""

    categories: dict[str, dict[str, int]]  # by feature and value
    means: dict[str, float]
    spreads: dict[str, float]

    @classmethod
    def fit(cls, dialogues: Iterable[Sequence[TurnEvent]]) -> "TurnFeatures":
        """Looks at dialogues; the same ones give the same features."""
        counts: dict[str, Counter[str]] = {name: Counter() for name in CATEGORIES}
        values: dict[str, list[float]] = {name: [] for name in NUMBERS}
        for turns in dialogues:
            for place in _places(turns):
                for name, category in CATEGORIES.items():
                    if (text := category.value(place.turn)) is not None:
                        counts[name][text] += 1
                for name, number in NUMBERS.items():
                    if (value := number.value(place)) is not None:
                        values[name].append(value)
        return cls(
            categories={name: _numbered(counter) for name, counter in counts.items()},
            means={name: float(np.mean(seen)) if seen else 0.0 for name, seen in values.items()},
            spreads={name: max(float(np.std(seen)), 1e-3) if seen else 1.0 for name, seen in values.items()},
        )

    @property
    def sizes(self) -> list[int]:
        """Numbers in use of each category, those for missing and unseen included."""
        return [len(self.categories[name]) + 2 for name in CATEGORIES]

    def of(self, turns: Sequence[TurnEvent], hidden: frozenset[Part] = NOTHING_HIDDEN) -> DialogueFeatures:
        """The features of one dialogue; what is hidden is missing."""
        n = len(turns)
        categories = np.zeros((n, len(CATEGORIES)), dtype=np.int64)
        numbers = np.zeros((n, 2 * len(NUMBERS)), dtype=np.float32)
        for row, place in enumerate(_places(turns)):
            for column, (name, category) in enumerate(CATEGORIES.items()):
                text = None if category.part in hidden else category.value(place.turn)
                if text is not None:
                    categories[row, column] = self.categories[name].get(text, UNSEEN)
            for column, (name, number) in enumerate(NUMBERS.items()):
                value = None if number.parts & hidden else number.value(place)
                if value is None:
                    numbers[row, len(NUMBERS) + column] = 1
                else:
                    away = (value - self.means[name]) / self.spreads[name]
                    numbers[row, column] = min(max(away, -_WIDEST), _WIDEST)
        steps = np.arange(n)[None, :] - np.arange(n)[:, None]  # (n, n)
        seen = np.ones((n, n), dtype=np.bool_)
        if "preceding" in hidden:
            seen &= steps >= 0
        if "following" in hidden:
            seen &= steps <= 0
        half = DISTANCES // 2
        return DialogueFeatures(
            categories, numbers, np.clip(steps, -half, half) + half, _gap_buckets(turns, hidden), seen
        )


def likeness(turn: TurnEvent, other: TurnEvent | None) -> float | None:
    """Token set ratio of two requests, 0..1; None where there is no other, or one is empty."""
    if other is None:
        return None
    first, second = turn.request.text[:_MOST_COMPARED].lower(), other.request.text[:_MOST_COMPARED].lower()
    if not first.strip() or not second.strip():
        return None
    return float(fuzz.token_set_ratio(first, second)) / 100


def interpretation(turn: TurnEvent) -> NluHypothesis | None:
    """What the assistant took the request for."""
    return turn.nlu[0] if turn.nlu else None


def intent_name(hypothesis: NluHypothesis | None) -> str | None:
    """Domain and intent in one."""
    return None if hypothesis is None else f"{hypothesis.domain or ''}.{hypothesis.intent}"


def seconds_between(earlier: TurnEvent, later: TurnEvent) -> float | None:
    """Between the starts of two turns, 0 or more; None where a log does not tell it."""
    if earlier.ts_ms <= 0 or later.ts_ms < earlier.ts_ms:
        return None
    return (later.ts_ms - earlier.ts_ms) / 1000


def _flag(value: bool | None) -> str | None:
    return None if value is None else str(value)


CATEGORIES: Final[Mapping[str, CategoryKind]] = {
    "domain": CategoryKind("understanding", lambda turn: turn.nlu[0].domain if turn.nlu else None),
    "intent": CategoryKind("understanding", lambda turn: intent_name(interpretation(turn))),
    "status": CategoryKind("status", lambda turn: turn.response.status if turn.response else None),
    "device": CategoryKind("device", lambda turn: turn.device.type if turn.device else None),
    "locale": CategoryKind("device", lambda turn: turn.locale),
    "barge_in": CategoryKind("signals", lambda turn: _flag(turn.signals.barge_in)),
    "terminated": CategoryKind("signals", lambda turn: _flag(turn.signals.terminated)),
    "feedback": CategoryKind("signals", lambda turn: turn.signals.feedback),
}


def _words(text: str | None) -> float | None:
    return None if text is None else math.log1p(len(text[:10_000].split()))


def _margin(confidences: Sequence[float | None]) -> float | None:
    if len(confidences) < 2 or confidences[0] is None or confidences[1] is None:
        return None
    return confidences[0] - confidences[1]


def _gap(earlier: TurnEvent | None, later: TurnEvent | None) -> float | None:
    if earlier is None or later is None or (seconds := seconds_between(earlier, later)) is None:
        return None
    return math.log1p(seconds)


def _same_intent(turn: TurnEvent, other: TurnEvent | None) -> float | None:
    if other is None or not turn.nlu or not other.nlu:
        return None
    return float(intent_name(turn.nlu[0]) == intent_name(other.nlu[0]))


def _same_letters(turn: TurnEvent, other: TurnEvent | None) -> float | None:
    """Similarity of two requests by their letters in order, 0..1: what is misheard sounds alike."""
    if other is None:
        return None
    first, second = turn.request.text[:_MOST_COMPARED].lower(), other.request.text[:_MOST_COMPARED].lower()
    return float(fuzz.ratio(first, second)) / 100


def _same_slots(turn: TurnEvent, other: TurnEvent | None) -> float | None:
    """Share of the slots of either that both have with the same value, 0..1."""
    if other is None or not turn.nlu or not other.nlu:
        return None
    slots, others = ({(slot.name, slot.value) for slot in one.nlu[0].slots} for one in (turn, other))
    return len(slots & others) / len(slots | others) if slots | others else None


def _number(value: Callable[[_Place], float | None], *parts: Part) -> NumberKind:
    return NumberKind(frozenset(parts), value)


NUMBERS: Final[Mapping[str, NumberKind]] = {
    "words of the request": _number(lambda place: _words(place.turn.request.text)),
    "words of the response": _number(
        lambda place: _words(place.turn.response.text) if place.turn.response else None, "responses"
    ),
    "recogniser confidence": _number(
        lambda place: place.turn.request.asr[0].confidence if place.turn.request.asr else None, "recognition"
    ),
    "recogniser margin": _number(
        lambda place: _margin([one.confidence for one in place.turn.request.asr[:2]]), "recognition"
    ),
    "NLU confidence": _number(
        lambda place: place.turn.nlu[0].confidence if place.turn.nlu else None, "understanding"
    ),
    "NLU margin": _number(
        lambda place: _margin([one.confidence for one in place.turn.nlu[:2]]), "understanding"
    ),
    "gap before": _number(lambda place: _gap(place.before, place.turn), "time", "preceding"),
    "gap after": _number(lambda place: _gap(place.turn, place.after), "time", "following"),
    "like the one before": _number(lambda place: likeness(place.turn, place.before), "likeness", "preceding"),
    "like the one after": _number(lambda place: likeness(place.turn, place.after), "likeness", "following"),
    "letters of the one before": _number(
        lambda place: _same_letters(place.turn, place.before), "likeness", "preceding"
    ),
    "letters of the one after": _number(
        lambda place: _same_letters(place.turn, place.after), "likeness", "following"
    ),
    "slots of the one before": _number(
        lambda place: _same_slots(place.turn, place.before), "likeness", "understanding", "preceding"
    ),
    "slots of the one after": _number(
        lambda place: _same_slots(place.turn, place.after), "likeness", "understanding", "following"
    ),
    "intent of the one before": _number(
        lambda place: _same_intent(place.turn, place.before), "likeness", "understanding", "preceding"
    ),
    "intent of the one after": _number(
        lambda place: _same_intent(place.turn, place.after), "likeness", "understanding", "following"
    ),
    "turns before": _number(lambda place: math.log1p(place.n_before), "preceding"),
    "turns after": _number(lambda place: math.log1p(place.n_after), "following"),
}


def _places(turns: Sequence[TurnEvent]) -> Iterable[_Place]:
    last = len(turns) - 1
    for number, turn in enumerate(turns):
        before = turns[number - 1] if number else None
        after = turns[number + 1] if number < last else None
        yield _Place(turn, before, after, number, last - number)


def _gap_buckets(turns: Sequence[TurnEvent], hidden: frozenset[Part]) -> NDArray[np.int64]:
    """(n, n); no order is shown."""
    n = len(turns)
    if "time" in hidden:
        return np.full((n, n), GAPS - 1, dtype=np.int64)
    times = np.array([turn.ts_ms for turn in turns], dtype=np.float64) / 1000
    apart = np.abs(times[None, :] - times[:, None])
    buckets = np.searchsorted(np.array(_GAP_ENDS[:-1]), apart, side="right").astype(np.int64)
    unknown = times <= 0
    buckets[unknown[:, None] | unknown[None, :]] = GAPS - 1
    return buckets


def _numbered(counter: Counter[str]) -> dict[str, int]:
    frequent = [(text, count) for text, count in counter.items() if count >= _LEAST_SEEN]
    frequent.sort(key=lambda one: (-one[1], one[0]))
    return {text: number + 2 for number, (text, _) in enumerate(frequent[:MOST_CATEGORIES])}
