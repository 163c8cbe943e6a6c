"""How a user takes an answer: mostly telling, never sure."""

from random import Random

from msgspec import Struct

from streams.turn import Feedback, Signals


class SignalRates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often users show that an answer was right or wrong; all from 0 to 1."""

    barge_in: float = 0.45  # wrong answers that are cut short
    barge_in_if_right: float = 0.03
    terminated: float = 0.5  # of those who give up
    terminated_if_right: float = 0.02
    negative: float = 0.02  # explicit feedback after a wrong answer
    positive: float = 0.005  # after a right one


USUAL_RATES = SignalRates()


def signals(correct: bool, leaves: bool, rng: Random, rates: SignalRates = USUAL_RATES) -> Signals:
    """The signals of one turn.

    Args:
        correct: whether the user got what was meant.
        leaves: whether they give up.
        rng: draws two or three numbers.
        rates: how telling users are.
    """
    feedback: Feedback | None = None
    if correct:
        if rng.random() < rates.positive:
            feedback = "positive"
        return Signals(
            barge_in=rng.random() < rates.barge_in_if_right,
            terminated=rng.random() < rates.terminated_if_right,
            feedback=feedback,
        )
    if rng.random() < rates.negative:
        feedback = "negative"
    return Signals(
        barge_in=rng.random() < rates.barge_in,
        terminated=leaves and rng.random() < rates.terminated,
        feedback=feedback,
    )
