"""Beta posteriors: how likely one rate of success is above another."""

import math

from msgspec import Struct
from scipy.special import betainc, betaln


class BetaPosterior(Struct, frozen=True):
    """What is known of a rate of success after some trials, from a uniform prior."""

    success: int  # trials that succeeded
    failure: int  # trials that did not

    @property
    def trials(self) -> int:
        """How many there were."""
        return self.success + self.failure

    def above(self, rate: float) -> float:
        """Probability that the rate is above one that is known, 0..1."""
        return 1 - float(betainc(1 + self.success, 1 + self.failure, rate))

    def above_other(self, other: "BetaPosterior") -> float:
        """Probability that the rate is above another, 0..1.

        In closed form, where a, b are the parameters of this one and c, d those of the other:

            P = sum over i = 0..a-1 of B(c + i, b + d) / ((b + i) B(1 + i, b) B(c, d))
        """
        a, b, c, d = 1 + self.success, 1 + self.failure, 1 + other.success, 1 + other.failure
        terms = (
            math.exp(float(betaln(c + i, b + d) - betaln(1 + i, b) - betaln(c, d))) / (b + i)
            for i in range(a)
        )
        return min(math.fsum(terms), 1.0)
