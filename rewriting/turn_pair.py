"""Turn pairs: what can be seen of an earlier and a later request of a session, without understanding them.

Each view is one of few values, so that a log tells how often it occurs; the views look at different things
(words, meaning, time, what became of the earlier request, how well it was heard), so that one can be checked
by the others.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from rewriting.text_normalisation import normalise
from streams.turn import NluHypothesis, TurnEvent

MOST_COMPARED = 1_000
"""Characters of a text that are compared; the time for two texts grows with the product of their lengths."""

NOTHING = -1
"""Bucket of what is not known."""

_STEPS_OF_TIME = 3
"""Buckets for each doubling of the time between two requests: each is a quarter longer than the last."""

_CONFIDENCE_BANDS = 4


class PairViews(NamedTuple):
    """The views of one pair of requests."""

    words: int  # how alike the texts are: tenths of the token set ratio, 10 for equal ones; NOTHING: empty
    understanding: str  # what the two interpretations share
    time: int  # between the two: 3 log2(seconds), rounded down; NOTHING: not known
    outcome: tuple[str, bool, bool, str]  # of the earlier one: status, barge-in, terminated, feedback
    confidence: tuple[int, int]  # quarters of the recogniser's and of the NLU's for the earlier one


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


def seconds_between(earlier: TurnEvent, later: TurnEvent) -> float | None:
    """Time between the starts of two requests, 0 or more; None where a log does not tell it (0 as time)."""
    if earlier.ts_ms <= 0 or later.ts_ms < earlier.ts_ms:
        return None
    return (later.ts_ms - earlier.ts_ms) / 1000


def pair_views(earlier: TurnEvent, later: TurnEvent) -> PairViews:
    """What can be seen of two requests."""
    return PairViews(
        words=_words(earlier.request.text, later.request.text),
        understanding=_understanding(earlier, later),
        time=time_bucket(seconds_between(earlier, later)),
        outcome=(
            (earlier.response.status if earlier.response else None) or "none",
            bool(earlier.signals.barge_in),
            bool(earlier.signals.terminated),
            earlier.signals.feedback or "none",
        ),
        confidence=confidence_bands(earlier),
    )


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
    return min(max(int(confidence * _CONFIDENCE_BANDS), 0), _CONFIDENCE_BANDS - 1)


def _words(earlier: str, later: str) -> int:
    earlier, later = normalise(earlier[:MOST_COMPARED]), normalise(later[:MOST_COMPARED])
    if not earlier or not later:
        return NOTHING
    if earlier == later:
        return 10
    return min(int(fuzz.token_set_ratio(earlier, later) // 10), 9)


def _understanding(earlier: TurnEvent, later: TurnEvent) -> str:
    if not earlier.nlu or not later.nlu:
        return "unknown"
    return _shared(earlier.nlu[0], later.nlu[0])


def _shared(first: NluHypothesis, second: NluHypothesis) -> str:
    slots, others = _slots(first), _slots(second)
    intents = "intent" if (first.domain, first.intent) == (second.domain, second.intent) else "other intent"
    if slots == others:
        return f"{intents}, same slots" if slots else f"{intents}, no slots"
    return f"{intents}, shared slot" if slots & others else f"{intents}, other slots"


def _slots(understood: NluHypothesis) -> frozenset[tuple[str, str]]:
    return frozenset((slot.name, normalise(slot.value or "")) for slot in understood.slots)
