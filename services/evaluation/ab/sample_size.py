"""How many users a test needs to show an effect of a given size."""

import math

from scipy.special import ndtri

from services.evaluation.ab.confidence_sequence import NARROWEST
from services.evaluation.common.confidence_interval import CONFIDENCE

POWER = 0.8
"""Chance that an effect of the wished size is shown; 0.9 would need a third more users."""

ONE_LOOK = float(ndtri((1 + CONFIDENCE) / 2) + ndtri(POWER))
"""Standard errors that the effect must be long, where the interval is looked at once, at the end."""

ANY_TIME = NARROWEST + float(ndtri(POWER))
"""The same, where the confidence sequence is looked at as often as one likes."""


def users_needed(variance: float, control_share: float, effect: float, standard_errors: float) -> int:
    """Users of both arms together.

    Solves (variance / (n share) + variance / (n (1 - share))) standard_errors^2 = effect^2 for n.

    Args:
        variance: of one user's influence on the measure (`user_variance`).
        control_share: of the users, between 0 and 1.
        effect: difference of the measure, not 0.
        standard_errors: `ONE_LOOK` or `ANY_TIME`.

    >>> users_needed(0.25, 0.5, 0.05, ONE_LOOK)  # the textbook's 1,570 in each arm
    3140
    """
    spread = variance / control_share + variance / (1 - control_share)
    return math.ceil(spread * (standard_errors / effect) ** 2)


def best_variance(effect: float) -> float:
    """The variance of the difference at which looking any time shows an effect of this size with `POWER`."""
    return (effect / ANY_TIME) ** 2
