"""Confidence intervals by resampling users.

The requests of one user resemble each other, so requests are not independent draws, but users are: a resample
draws as many users as there are, with replacement, each with all of their requests (the cluster bootstrap).
"""

import math
from typing import Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

DEFAULT_RESAMPLES = 1000
"""Puts about 25 resamples beyond each end of a 95 % interval. Fewer, the ends jump about with the seed."""

CONFIDENCE = 0.95

Cluster = Literal["users", "groups", "dialogues"]
"""What is resampled: the turns of one resemble each other."""


class Estimate(Struct, frozen=True):
    """A measure with its 95 % confidence interval.

    `value` is None where there is nothing to measure, and so are `low` and `high` where no resample has
    anything to measure; wins for each loss are infinite without a loss.
    """

    value: float | None
    low: float | None
    high: float | None


def user_weights(users: int, resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each user is drawn: (resamples, users), row sums = users; the same for the same seed."""
    if users == 0:
        return np.zeros((resamples, 0))
    generator = np.random.default_rng(seed)
    return generator.multinomial(users, np.full(users, 1 / users), size=resamples).astype(np.float64)


def estimate(value: float, draws: NDArray[np.float64]) -> Estimate:
    """The percentile interval of a measure.

    Args:
        value: the measure on all users; NaN where it is not defined.
        draws: (resamples,), the measure on each resample; NaN where it is not defined there.
    """
    defined = np.sort(draws[~np.isnan(draws)])
    if not len(defined):
        return Estimate(None if math.isnan(value) else value, None, None)
    # Order statistics rather than interpolation: between a number and infinity there is nothing.
    tail = (1 - CONFIDENCE) / 2
    low = defined[math.floor(tail * len(defined))]
    high = defined[max(math.ceil((1 - tail) * len(defined)) - 1, 0)]
    return Estimate(None if math.isnan(value) else value, float(low), float(high))
