"""Turn pairs: what can be seen of an earlier and a later request of a session, without understanding them.

Each view is one of few values, so that a log tells how often it occurs; the views look at different things
(words, meaning, time, what became of the earlier request, how well it was heard), so that one can be checked
by the others.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from rapidfuzz import fuzz

from labeling.text.normalisation import normalise
from labeling.turns.features import seconds_between
from streams.turn import NluHypothesis, TurnEvent

MOST_COMPARED = 1_000
"""Characters of a text that are compared; the time for two texts grows with the product of their lengths."""

NOTHING = -1
"""Bucket of what is not known."""

EQUAL = 10
"""Bucket of words that are the same."""

UNDERSTANDINGS: Final = (
    "unknown",  # one of them has no interpretation
    "same intent, same slots",
    "same intent, shared slot",  # one at least, by name and value
    "same intent, other slots",
    "same intent, no slots",
    "other intent, same slots",
    "other intent, shared slot",
    "other intent, other slots",
    "other intent, no slots",
)
"""What two interpretations share."""

_STEPS_OF_TIME = 3
"""Buckets for each doubling of the time between two requests: each is a quarter longer than the last."""

_CONFIDENCE_BANDS = 4


class PairViews(NamedTuple):
    """The views of one pair of requests."""

    words: int  # `words_alike`
    understanding: str  # `understood_alike`
    time: int  # `time_bucket` between the two
    outcome: tuple[str, bool, bool, str]  # of the earlier one: status, barge-in, terminated, feedback
    confidence: tuple[int, int]  # `confidence_bands` of the earlier one


def candidate_pairs(
    turns: Sequence[TurnEvent], window_turns: int, window_s: float
) -> Iterator[tuple[int, int]]:
    """Positions of an earlier and a later request of a session that may be its next try.

    Args:
        turns: of the session, in order.
        window_turns: the later one is among that many that follow; 1 or more.
        window_s: seconds within which it must come. Times that are not known do not count.
    """
    for target in range(1, len(turns)):
        for source in range(max(0, target - window_turns), target):
            seconds = seconds_between(turns[source], turns[target])
            if seconds is None or seconds <= window_s:
                yield source, target


def candidates_by_source(
    turns: Sequence[TurnEvent], window_turns: int, window_s: float
) -> dict[int, list[int]]:
    """The candidates of each request that has any, both ascending; arguments as for `candidate_pairs`."""
    candidates: dict[int, list[int]] = {}
    for source, target in sorted(candidate_pairs(turns, window_turns, window_s)):
        candidates.setdefault(source, []).append(target)
    return candidates


def pair_views(earlier: TurnEvent, later: TurnEvent) -> PairViews:
    """What can be seen of two requests."""
    return PairViews(
        words=words_alike(earlier, later),
        understanding=understood_alike(earlier, later),
        time=time_bucket(seconds_between(earlier, later)),
        outcome=(
            (earlier.response.status if earlier.response else None) or "none",
            bool(earlier.signals.barge_in),
            bool(earlier.signals.terminated),
            earlier.signals.feedback or "none",
        ),
        confidence=confidence_bands(earlier),
    )


def words_alike(earlier: TurnEvent, later: TurnEvent) -> int:
    """Tenths of the token set ratio of two texts, 10 for equal ones; NOTHING where one has no word."""
    first = normalise(earlier.request.text[:MOST_COMPARED])
    second = normalise(later.request.text[:MOST_COMPARED])
    if not first or not second:
        return NOTHING
    if first == second:
        return EQUAL
    return min(int(fuzz.token_set_ratio(first, second) // 10), EQUAL - 1)


def understood_alike(earlier: TurnEvent, later: TurnEvent) -> str:
    """What the best interpretations of two requests share: one of `UNDERSTANDINGS`."""
    if not earlier.nlu or not later.nlu:
        return UNDERSTANDINGS[0]
    first, second = earlier.nlu[0], later.nlu[0]
    same = (first.domain, first.intent) == (second.domain, second.intent)
    intents = "same intent" if same else "other intent"
    slots, others = _slots(first), _slots(second)
    if slots == others:
        return f"{intents}, same slots" if slots else f"{intents}, no slots"
    return f"{intents}, shared slot" if slots & others else f"{intents}, other slots"


def time_bucket(seconds: float | None) -> int:
    """Index of a time on a logarithmic scale.

    >>> [time_bucket(seconds) for seconds in (None, 0.5, 1, 2, 10, 12)]
    [-1, 0, 0, 3, 9, 10]
    """
    return NOTHING if seconds is None else int(math.log2(max(seconds, 1)) * _STEPS_OF_TIME)


def confidence_bands(turn: TurnEvent) -> tuple[int, int]:
    """Quarters, 0..3, of the confidence of the recogniser and of the NLU; NOTHING where there is none."""
    heard = turn.request.asr[0].confidence if turn.request.asr else None
    understood = turn.nlu[0].confidence if turn.nlu else None
    return _band(heard), _band(understood)


def _band(confidence: float | None) -> int:
    if confidence is None:
        return NOTHING
    return min(int(min(max(confidence, 0.0), 1.0) * _CONFIDENCE_BANDS), _CONFIDENCE_BANDS - 1)


def _slots(understood: NluHypothesis) -> frozenset[tuple[str, str]]:
    return frozenset((slot.name, normalise(slot.value or "")) for slot in understood.slots)
