"""How surely a request was understood, as one number, and of what that number was made."""

from typing import Literal

from msgspec import Struct

from streams.turn import TurnEvent

ConfidenceParts = Literal["product", "asr", "nlu"]
"""What is known: the recogniser's and the NLU's confidence, or one of them alone."""


class UnderstandingConfidence(Struct, frozen=True, gc=False):
    """How surely a request was understood; numbers of other parts do not compare with each other."""

    value: float  # 0..1
    parts: ConfidenceParts


def understanding_confidence(asr: float | None, nlu: float | None) -> UnderstandingConfidence | None:
    """The product of the confidences that are known; None if neither is.

    The recogniser's and the understanding's confidence fail for different reasons, so their product tells
    good requests from bad ones better than either.
    """
    if asr is None:
        return None if nlu is None else UnderstandingConfidence(_within(nlu), "nlu")
    if nlu is None:
        return UnderstandingConfidence(_within(asr), "asr")
    return UnderstandingConfidence(_within(asr) * _within(nlu), "product")


def turn_confidence(turn: TurnEvent) -> UnderstandingConfidence | None:
    """The same, of a logged turn."""
    return understanding_confidence(*logged_confidences(turn))


def logged_confidences(turn: TurnEvent) -> tuple[float | None, float | None]:
    """The recogniser's and the NLU's confidence of a logged turn, each None where it is not known."""
    asr = turn.request.asr[0].confidence if turn.request.asr else None
    nlu = turn.nlu[0].confidence if turn.nlu else None
    return asr, nlu


def value_of(confidence: UnderstandingConfidence | None) -> float | None:
    """The number alone, 0..1; None: not known."""
    return None if confidence is None else confidence.value


def _within(confidence: float) -> float:
    return min(max(confidence, 0.0), 1.0)
