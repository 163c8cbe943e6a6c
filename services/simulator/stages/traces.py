"""Lists of alternatives, as decision components log them: the best first, with confidences."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from services.simulator.world.chance import bell, pick
from services.simulator.world.frame import Frame
from streams.turn import NluHypothesis, Recognition

T = TypeVar("T")

TRUTH_HEARD = 0.85
"""Share of misheard requests whose right words are further down the list of recognitions."""

TRUTH_UNDERSTOOD = 0.85
"""Share of wrong first interpretations whose right one is further down the list."""

MOST_RECOGNITIONS = 5
MOST_HYPOTHESES = 4
"""Lengths of the lists, which have three entries or more where there is that much to be taken for."""

NO_TRACE = 0.02
"""Share of turns whose list of alternatives was not logged, for each list."""


def clipped(confidence: float) -> float:
    """A confidence with three digits, 0.01..0.99."""
    return round(min(max(confidence, 0.01), 0.99), 3)


def recognitions(
    heard: str, said: str, errors: Sequence[str], *, surest: float, rng: Random
) -> tuple[Recognition, ...]:
    """What a recogniser lists that heard `heard`, whose usual confidence is `surest`."""
    others = [error for error in errors if error != heard]
    texts = [heard, *_mixed(others, rng)]
    if heard != said and rng.random() < TRUTH_HEARD:
        place = 1 if rng.random() < 0.65 else 2
        texts.insert(min(place, len(texts)), said)
    texts = list(dict.fromkeys(texts))[: 3 + int(rng.random() * (MOST_RECOGNITIONS - 2))]
    if rng.random() < NO_TRACE:
        texts = texts[:1]
    close = 0.8 if heard != said else 0.62
    return tuple(
        Recognition(text=text, confidence=confidence)
        for text, confidence in zip(texts, _falling(len(texts), surest, close, rng), strict=True)
    )


def hypotheses(
    understood: Frame, right: Frame, others: Sequence[Frame], *, surest: float, rng: Random
) -> tuple[NluHypothesis, ...]:
    """What language understanding lists that took a text for `understood`."""
    frames = [understood, *(other for other in others if other not in (understood, right))]
    frames[1:] = _mixed(frames[1:], rng)
    if understood != right and rng.random() < TRUTH_UNDERSTOOD:
        place = 1 if rng.random() < 0.75 else 2
        frames.insert(min(place, len(frames)), right)
    frames = frames[: 2 + int(rng.random() * (MOST_HYPOTHESES - 1))]
    if rng.random() < NO_TRACE:
        frames = frames[:1]
    close = 0.75 if understood != right else 0.5
    return tuple(
        NluHypothesis(domain=frame.domain, intent=frame.intent, slots=frame.slots, confidence=confidence)
        for frame, confidence in zip(frames, _falling(len(frames), surest, close, rng), strict=True)
    )


def _falling(count: int, surest: float, close: float, rng: Random) -> list[float]:
    """Confidences from the best down; `close` is how near the second mostly comes to the first, 0..1."""
    confidences = [clipped(bell(rng, surest, 0.28))]
    while len(confidences) < count:
        near = close if len(confidences) == 1 else 0.6
        confidences.append(clipped(confidences[-1] * min(bell(rng, near, 0.38), 1.0)))
    return confidences


def _mixed(options: Sequence[T], rng: Random) -> list[T]:
    """The options, mostly in their order: one of them comes first at times."""
    mixed = list(options)
    if len(mixed) > 1 and rng.random() < 0.4:
        first = pick(rng, mixed)
        mixed.remove(first)
        mixed.insert(0, first)
    return mixed
