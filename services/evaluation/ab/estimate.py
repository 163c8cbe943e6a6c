"""Estimates of arms and of their difference, clustered by user, with and without what users did before.

A measure is a ratio of sums, such as defects / turns. Turns of one user resemble each other, so the users of
an arm are the independent draws: the ratio R = sum(part) / sum(whole) varies as the mean of

    influence = (part - R whole) / mean(whole)

over users does (the delta method, https://arxiv.org/abs/1803.06336, section 4).
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from scipy.special import stdtrit

from services.evaluation.common.arrays import Floats
from services.evaluation.common.confidence_interval import CONFIDENCE, Estimate

NOT_TOLD = Estimate(None, None, None)

_ROUNDING = 1e-12
"""Standard error, as a share of the ratio, up to which users differ by how numbers are rounded alone."""


class UserSums(Struct, frozen=True, kw_only=True):
    """One measure of the users of an arm, (users,) each; the measure is sum(part) / sum(whole)."""

    part: Floats
    whole: Floats
    part_before: Floats  # the same, before the experiment
    whole_before: Floats  # 0: the user has no turns there


class ArmEstimate(Struct, frozen=True):
    """An estimate that is nearly normal.

    `variance` is that of the estimate, not of users; 0 where it is not known: of fewer than two users, and
    where all users of an arm are the same, since then nothing tells how others would vary.
    """

    value: float
    variance: float
    freedom: float  # degrees of freedom of Student's t

    @property
    def interval(self) -> Estimate:
        """The 95 % interval; without ends where the variance is not known."""
        if self.variance <= 0:
            return Estimate(self.value, None, None)
        half = -float(stdtrit(self.freedom, (1 - CONFIDENCE) / 2)) * math.sqrt(self.variance)
        return Estimate(self.value, self.value - half, self.value + half)


class Influences(Struct, frozen=True):
    """A ratio, and how far each user moves it."""

    ratio: float
    values: Floats  # (users,), mean 0
    leverage: Floats  # (users,) shares of `whole`, sum 1: how far each draws the ratio to itself

    @property
    def freedom(self) -> float:
        """Degrees of freedom: those of as many users as would have equal shares (Kish), and at least 1."""
        return max(1.0, 1 / float((self.leverage**2).sum()) - 1)

    @property
    def jackknifed(self) -> Floats:
        """The same values, of each user against the ratio of all others; 0 where there are no others.

        A user with many of the turns draws the ratio near, so few heavy users would look too sure.
        """
        others = 1 - self.leverage
        return np.divide(self.values, others, out=np.zeros_like(self.values), where=others > 0)

    def less(self, covariate: Floats, slope: float) -> "Influences":
        """With slope * covariate, (users,), taken off."""
        mean = float(covariate.mean())
        values = self.values - slope * (covariate - mean)
        return Influences(self.ratio - slope * mean, values, self.leverage)


def influences(part: Floats, whole: Floats) -> Influences | None:
    """The ratio and how far each user moves it; None: there is nothing to divide by."""
    total = float(whole.sum())
    if total <= 0:
        return None
    ratio = float(part.sum()) / total
    return Influences(ratio, (part - ratio * whole) * (len(whole) / total), whole / total)


def arm_estimate(sums: UserSums) -> ArmEstimate | None:
    """The measure of one arm; None where it is not defined."""
    found = influences(sums.part, sums.whole)
    return None if found is None else _mean(found)


def difference(treated: UserSums, control: UserSums) -> ArmEstimate | None:
    """How much more the measure is in the treated arm than in control; None where one has none."""
    ours, theirs = arm_estimate(treated), arm_estimate(control)
    return None if ours is None or theirs is None else _minus(ours, theirs)


def adjusted_difference(treated: UserSums, control: UserSums) -> ArmEstimate | None:
    """The same difference, less what the arms differed in before the experiment (`adjusted_influences`).

    Returns:
        None where there is no difference, or no user has anything before.
    """
    found = adjusted_influences([treated, control])
    if found is None:
        return None
    ours, theirs = map(_mean, found)
    return _minus(ours, theirs)


def adjusted_influences(arms: Sequence[UserSums]) -> list[Influences] | None:
    """The influences of each arm, adjusted for what its users did before (CUPED).

    Of each user's influence y, slope * x is taken off, where x is the influence of the same measure before
    the experiment and the slope is that of y on x within the arms. Assignment does not depend on x, so what
    is estimated stays the same; its variance falls by the squared correlation (Deng, Xu, Kohavi & Walker,
    WSDM 2013, https://doi.org/10.1145/2433396.2433413). A user without turns before has x = 0, the mean.

    Returns:
        None where an arm has no ratio, or no user has anything before.
    """
    found = [influences(one.part, one.whole) for one in arms]
    before = influences(
        np.concatenate([one.part_before for one in arms]), np.concatenate([one.whole_before for one in arms])
    )
    known = [one for one in found if one is not None]
    if before is None or len(known) < len(arms):
        return None
    ends = np.cumsum([len(one.part) for one in arms])[:-1]
    covariates = np.split(before.values, ends)
    centred = [x - x.mean() for x in covariates]
    square = sum(float((x**2).sum()) for x in centred)
    if square <= 0:
        return None
    slope = sum(float((one.values * x).sum()) for one, x in zip(known, centred, strict=True)) / square
    return [one.less(x, slope) for one, x in zip(known, covariates, strict=True)]


def user_variance(arms: Sequence[UserSums], *, adjusted: bool = False) -> float | None:
    """The variance of users' influences within arms, of all together; None where it is not defined.

    Args:
        arms: of one experiment.
        adjusted: for what users did before.
    """
    if adjusted:
        known = adjusted_influences(arms) or []
    else:
        known = [found for one in arms if (found := influences(one.part, one.whole)) is not None]
    freedom = sum(len(one.values) - 1 for one in known)
    if freedom <= 0:
        return None
    return sum(float((one.jackknifed**2).sum()) for one in known) / freedom


def _mean(found: Influences) -> ArmEstimate:
    users = len(found.values)
    variance = float(found.jackknifed.var(ddof=1)) / users if users > 1 else 0.0
    if variance <= (_ROUNDING * max(1.0, abs(found.ratio))) ** 2:
        return ArmEstimate(found.ratio, 0.0, 1.0)
    return ArmEstimate(found.ratio, variance, found.freedom)


def _minus(ours: ArmEstimate, theirs: ArmEstimate) -> ArmEstimate:
    """The difference of independent estimates, with the degrees of freedom of Welch and Satterthwaite."""
    value, parts = ours.value - theirs.value, (ours, theirs)
    if any(one.variance <= 0 for one in parts):
        return ArmEstimate(value, 0.0, 1.0)
    variance = ours.variance + theirs.variance
    freedom = variance**2 / sum(one.variance**2 / one.freedom for one in parts)
    return ArmEstimate(value, variance, freedom)
