"""Differences of arms are those of the world, and their intervals hold them as often as they say."""

from collections.abc import Callable

import numpy as np
import pytest
from experiment_world import UserWorld
from scipy.stats import binom, ttest_ind

from services.evaluation.ab.estimate import (
    ArmEstimate,
    UserSums,
    adjusted_difference,
    arm_estimate,
    difference,
    user_variance,
)
from services.evaluation.common.arrays import Floats

WORLDS = 400

Difference = Callable[[UserSums, UserSums], ArmEstimate | None]


def sums(part: list[float], whole: list[float], before: list[float] | None = None) -> UserSums:
    nothing = np.zeros(len(part))
    return UserSums(
        part=np.array(part, dtype=np.float64),
        whole=np.array(whole, dtype=np.float64),
        part_before=nothing if before is None else np.array(before, dtype=np.float64),
        whole_before=nothing if before is None else np.ones(len(part)),
    )


def known(estimate: ArmEstimate | None) -> ArmEstimate:
    assert estimate is not None
    return estimate


def holds(estimate: ArmEstimate, truth: float) -> bool:
    low, high = estimate.interval.low, estimate.interval.high
    assert low is not None
    assert high is not None
    return low <= truth <= high


def test_a_measure_is_a_ratio_of_sums_and_a_difference_that_of_two() -> None:
    treated, control = sums([1, 0, 2], [4, 2, 4]), sums([2, 2], [4, 6])

    assert known(arm_estimate(treated)).value == pytest.approx(0.3)
    assert known(difference(treated, control)).value == pytest.approx(0.3 - 0.4)


def test_of_users_with_a_turn_each_the_interval_is_that_of_welch() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = rng.normal(0.3, 0.1, 300), rng.normal(0.2, 0.2, 200)
    welch = ttest_ind(ours, theirs, equal_var=False).confidence_interval()

    found = known(difference(sums(list(ours), [1.0] * 300), sums(list(theirs), [1.0] * 200))).interval

    assert (found.low, found.high) == pytest.approx((welch.low, welch.high), rel=0.02)


def test_few_heavy_users_have_a_wider_interval_than_as_many_turns_of_nobody() -> None:
    chances = np.random.default_rng(2).uniform(0.05, 0.5, 8)
    turns = np.full(8, 500.0)

    clustered = known(arm_estimate(sums(list(chances * turns), list(turns)))).interval

    rate = chances.mean()
    naive = 2 * 1.96 * np.sqrt(rate * (1 - rate) / turns.sum())
    assert clustered.high is not None
    assert clustered.low is not None
    assert clustered.high - clustered.low > 3 * naive


def test_one_user_with_most_turns_leaves_hardly_more_than_a_degree_of_freedom() -> None:
    estimate = known(arm_estimate(sums([50, 1, 0, 1], [100, 1, 1, 1])))

    assert estimate.freedom == 1
    assert estimate.interval.high is not None
    assert estimate.interval.high > 1  # nothing is known of other users


@pytest.mark.parametrize(
    "arm",
    [
        sums([0, 0, 0], [4, 5, 6]),
        sums([0.7, 1.4, 4.9, 0.1], [7, 14, 49, 1]),
        sums([1, 0, 0], [2, 0, 0]),
        sums([1], [2]),
    ],
    ids=["all without", "all alike but for rounding", "one alone counts", "one"],
)
def test_where_nothing_tells_how_users_vary_there_is_no_interval(arm: UserSums) -> None:
    other = sums([1, 2, 1], [4, 4, 5])

    for estimate in (arm_estimate(arm), difference(arm, other), difference(other, arm)):
        assert known(estimate).interval.low is None


def test_an_arm_without_anything_to_count_has_no_measure() -> None:
    nothing, other = sums([0, 0], [0, 0]), sums([1, 2], [4, 4], [1, 0])

    assert arm_estimate(nothing) is None
    assert difference(nothing, other) is None
    assert adjusted_difference(nothing, other) is None


@pytest.mark.parametrize("find", [difference, adjusted_difference])
@pytest.mark.parametrize("control", [40, 200], ids=["small control", "large control"])
def test_intervals_hold_the_effect_in_95_of_100_worlds(find: Difference, control: int) -> None:
    world = UserWorld(control=control, treated=200, days=2, days_before=3, effect=-0.05)
    truth = expected_effect(world)

    held = sum(
        holds(known(find(*world.sums(np.random.default_rng(seed))[-1])), truth) for seed in range(WORLDS)
    )

    assert binom.ppf(0.001, WORLDS, 0.95) <= held <= binom.ppf(0.999, WORLDS, 0.95)


def expected_effect(world: UserWorld) -> float:
    """The difference of very many users: chances below the effect are cut off at 0."""
    many = UserWorld(control=200_000, treated=200_000, days=world.days, effect=world.effect)
    return known(difference(*many.sums(np.random.default_rng(0))[-1])).value


def test_days_before_that_tell_how_users_differ_take_variance_away_and_leave_the_effect() -> None:
    world = UserWorld(control=300, treated=300, days=10, days_before=20, effect=-0.03, spread=0.15)
    plain, adjusted = [], []
    for seed in range(60):
        arms = world.sums(np.random.default_rng(seed))[-1]
        plain.append(known(difference(*arms)))
        adjusted.append(known(adjusted_difference(*arms)))

    told = np.mean([one.variance for one in adjusted]) / np.mean([one.variance for one in plain])
    seen = np.var([one.value for one in adjusted]) / np.var([one.value for one in plain])
    assert told < 0.5
    assert seen < 0.6  # not only said, but so
    error = np.mean([one.value for one in adjusted]) - expected_effect(world)
    assert abs(error) < 4 * np.sqrt(np.mean([one.variance for one in adjusted]) / 60)


def test_days_before_that_tell_nothing_take_nothing_away() -> None:
    rng = np.random.default_rng(3)

    def arm() -> UserSums:
        return sums(list(rng.normal(0.2, 0.1, 400)), [1.0] * 400, list(rng.normal(0.2, 0.1, 400)))

    treated, control = arm(), arm()

    assert known(adjusted_difference(treated, control)).variance == pytest.approx(
        known(difference(treated, control)).variance, rel=0.03
    )


def test_an_arm_that_was_worse_already_is_given_what_it_was_worse_by() -> None:
    before = np.array([0.1, 0.2, 0.3, 0.4])
    noise = np.array([0.01, -0.01, -0.01, 0.01])

    def arm(worse: float, effect: float) -> UserSums:
        was: Floats = before + worse
        return sums(list(was + effect + noise), [1.0] * 4, list(was))

    treated, control = arm(0.2, -0.1), arm(0.0, 0.0)

    assert known(difference(treated, control)).value == pytest.approx(0.1)
    assert known(adjusted_difference(treated, control)).value == pytest.approx(-0.1, abs=0.01)


def test_without_anything_before_there_is_no_adjusted_difference() -> None:
    assert adjusted_difference(sums([1, 2], [4, 4]), sums([1, 0], [4, 4])) is None


def test_the_variance_of_users_is_that_of_all_arms_within_themselves() -> None:
    near, far = sums([1, 2, 3], [10, 10, 10]), sums([7, 8, 9], [10, 10, 10])

    within = user_variance([near, far])

    assert within == pytest.approx(user_variance([near]))
    assert user_variance([sums([1], [2])]) is None
