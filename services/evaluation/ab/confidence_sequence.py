"""Confidence sequences: intervals of a running estimate that all hold at once, so one may look at any time.

A 95 % interval that is looked at every day misses the truth on one day or another far more often than once in
twenty tests. A confidence sequence misses it on any day, ever, in at most one of twenty.
"""

import math
from collections.abc import Sequence

from scipy.special import lambertw, ndtr, stdtrit

from services.evaluation.ab.estimate import ArmEstimate
from services.evaluation.common.confidence_interval import CONFIDENCE, Estimate

ALPHA = 1 - CONFIDENCE

_BEST = float(-lambertw(-(ALPHA**2) / math.e, -1).real) - 1
"""rho^2 I at which the band is narrowest for its standard error."""

NARROWEST = math.sqrt(_BEST + 1)
"""Standard errors to either side where the band is narrowest: 3.03, against 1.96 of a single look."""


def standard_errors(information: float, best: float) -> float:
    """How many standard errors the band reaches to either side, at a look.

    The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (*Time-uniform central
    limit theory and asymptotic confidence sequences*, https://arxiv.org/abs/2103.06476, theorem 2.2) in
    standard errors: with information I = 1 / variance in the place of t / sigma^2,

        sqrt((1 + 1 / (rho^2 I)) log((rho^2 I + 1) / alpha^2))

    It is Robbins' normal mixture, and holds where the estimate's errors, weighed by information, add up in
    independent steps. For a difference of arms they nearly do: what further days and further users add is new
    (the canonical joint distribution of Jennison & Turnbull, *Group Sequential Methods*, 1999, section 3.1).

    Args:
        information: of the look, over 0.
        best: information at which the band is to be narrowest; must be chosen before the looks. rho follows
            from it (appendix B.2 there).
    """
    scaled = _BEST * information / best
    return math.sqrt((1 + 1 / scaled) * math.log((scaled + 1) / ALPHA**2))


def confidence_sequence(looks: Sequence[ArmEstimate], best_variance: float) -> list[Estimate]:
    """The interval at each look; without ends where a look has no variance.

    Args:
        looks: the estimate at each, in the order of time.
        best_variance: of the estimate at which the band is to be narrowest.
    """
    return [_interval(look, best_variance) for look in looks]


def _interval(look: ArmEstimate, best_variance: float) -> Estimate:
    if look.variance <= 0:
        return Estimate(look.value, None, None)
    normal = standard_errors(1 / look.variance, 1 / best_variance)
    # Of few users the variance is not well known: as far out in Student's t as this is in the normal.
    reach = -float(stdtrit(look.freedom, ndtr(-normal))) * math.sqrt(look.variance)
    return Estimate(look.value, look.value - reach, look.value + reach)
