"""How surely a request was understood, as one number."""

from streams.turn import TurnEvent


def understanding_confidence(asr: float | None, nlu: float | None) -> float | None:
    """The product of the confidences that are known, 0..1; None if neither is.

    The recogniser's and the understanding's confidence fail for different reasons, so their product tells
    good requests from bad ones better than either.
    """
    known = [min(max(value, 0.0), 1.0) for value in (asr, nlu) if value is not None]
    if not known:
        return None
    return known[0] if len(known) == 1 else known[0] * known[1]


def turn_confidence(turn: TurnEvent) -> float | None:
    """The same, of a logged turn."""
    asr = turn.request.asr[0].confidence if turn.request.asr else None
    nlu = turn.nlu[0].confidence if turn.nlu else None
    return understanding_confidence(asr, nlu)
