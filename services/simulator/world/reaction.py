"""How users take what the assistant did: mostly telling, never sure."""

from random import Random
from typing import Literal

from msgspec import Struct

from labeling.annotations.annotation import FailurePoint
from services.simulator.world.catalogue import Goal
from services.simulator.world.chance import pick
from streams.turn import Feedback, Response, Signals

Next = Literal["same_words", "other_words", "leaves"]

SAME_WORDS: dict[FailurePoint, float] = {
    "asr": 0.65, "nlu": 0.35, "entity_resolution": 0.45, "result": 0.8, "correct": 0.7, "false_wake": 0.0,
}  # fmt: skip
"""Share of second tries in the same words, by what went wrong: users see what happened, and guess why."""

AGAIN_AFTER_SUCCESS = 0.015
"""Chance that somebody asks again for what they got."""

AGAIN_AFTER_REFUSAL = 0.2
"""Chance that somebody does not take no for an answer."""

STOPS = 0.14
"""Chance that a user says "stop" to something that was not wanted, before anything else."""


class Reaction(Struct, frozen=True):
    """What a user does about a turn."""

    signals: Signals
    stops: bool  # the next thing they say is "stop"
    next: Next


def reaction(
    point: FailurePoint, response: Response, *, reached: bool, patience: float, may_retry: bool, rng: Random
) -> Reaction:
    """The reaction to a turn of which the user sees the response and whether it is what they asked for."""
    acted = response.status in ("ok", None)
    failed = point != "correct"
    if point == "false_wake":
        signals = _signals(rng, barge_in=0.28 if acted else 0.12, terminated=0.3, negative=0.02, positive=0.0)
        return Reaction(signals, stops=rng.random() < (STOPS if acted else STOPS / 3), next="leaves")
    if failed:
        again = may_retry and rng.random() < patience
        signals = _signals(
            rng,
            barge_in=0.42 if acted else 0.1,
            terminated=0.06 if again else 0.45,
            negative=0.03,
            positive=0.0,
        )
        stops = acted and rng.random() < STOPS
    else:
        chance = AGAIN_AFTER_SUCCESS if reached else AGAIN_AFTER_REFUSAL
        again = may_retry and rng.random() < chance
        signals = _signals(
            rng,
            barge_in=0.05 if reached else 0.1,
            terminated=0.04 if reached else 0.2,
            negative=0.002 if reached else 0.01,
            positive=0.01,
        )
        stops = reached and rng.random() < 0.01
    if not again:
        return Reaction(signals, stops, "leaves")
    return Reaction(signals, stops, "same_words" if rng.random() < SAME_WORDS[point] else "other_words")


def next_words(goal: Goal, last: str, way: Next, rng: Random) -> str:
    """The words of the next try."""
    others = [text for text in goal.phrasings if text != last]
    return pick(rng, others) if way == "other_words" and others else last


def _signals(rng: Random, *, barge_in: float, terminated: float, negative: float, positive: float) -> Signals:
    chance = rng.random()
    feedback: Feedback | None = None
    if chance < negative:
        feedback = "negative"
    elif chance > 1 - positive:
        feedback = "positive"
    return Signals(barge_in=rng.random() < barge_in, terminated=rng.random() < terminated, feedback=feedback)
