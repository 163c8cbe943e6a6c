"""The band holds on all days at once, and shows what it was made to show."""

import math

import numpy as np
import pytest
from experiment_world import UserWorld
from scipy.stats import binom

from services.evaluation.ab.confidence_sequence import NARROWEST, confidence_sequence, standard_errors
from services.evaluation.ab.estimate import ArmEstimate, adjusted_difference, difference
from services.evaluation.ab.sample_size import best_variance
from services.evaluation.common.confidence_interval import Estimate

WORLDS = 200
SURE = 1e6  # degrees of freedom of a variance that is known


def always_hold(intervals: list[Estimate], truth: float = 0.0) -> bool:
    return all(
        one.low is not None and one.high is not None and one.low <= truth <= one.high for one in intervals
    )


@pytest.mark.parametrize(
    "world",
    [
        UserWorld(control=60, treated=60, days=20, days_before=7),
        UserWorld(control=30, treated=300, days=20, days_before=7, evenness=0.5),
    ],
    ids=["even", "small control of few heavy users"],
)
def test_the_band_holds_at_all_looks_in_95_of_100_worlds_and_the_interval_of_one_look_does_not(
    world: UserWorld,
) -> None:
    held = dict.fromkeys(("band", "adjusted band", "single look"), 0)
    for seed in range(WORLDS):
        days = world.sums(np.random.default_rng(seed))
        plain = [one for arms in days if (one := difference(*arms)) is not None]
        adjusted = [one for arms in days if (one := adjusted_difference(*arms)) is not None]
        best = best_variance(0.02)
        held["band"] += always_hold(confidence_sequence(plain, best))
        held["adjusted band"] += always_hold(confidence_sequence(adjusted, best))
        held["single look"] += always_hold([one.interval for one in plain])

    enough = binom.ppf(0.001, WORLDS, 0.95)
    assert held["band"] >= enough
    assert held["adjusted band"] >= enough
    assert held["single look"] < enough


def random_walks(seed: int, walks: int, looks: int, effect: float) -> list[list[ArmEstimate]]:
    """Means of more and more draws of variance 1 around an effect, at looks that are a draw apart."""
    draws = np.random.default_rng(seed).normal(effect, 1, (walks, looks))
    means = draws.cumsum(axis=1) / np.arange(1, looks + 1)
    return [[ArmEstimate(float(mean), 1 / n, SURE) for n, mean in enumerate(walk, 1)] for walk in means]


def test_of_many_looks_the_band_holds_at_all_and_is_not_needlessly_wide() -> None:
    walks = random_walks(5, 300, 500, 0.0)

    held = sum(always_hold(confidence_sequence(walk, 1 / 100)) for walk in walks)

    assert binom.ppf(0.001, 300, 0.95) <= held < 300  # it is missed at times: at most in one of twenty


def test_an_effect_is_shown_with_the_power_that_the_band_was_made_for() -> None:
    looks, effect = 200, 3.877 / math.sqrt(200)  # the variance at the last look is the best one for it
    walks = random_walks(6, 400, looks, effect)
    assert best_variance(effect) == pytest.approx(1 / looks, rel=1e-3)

    shown = sum(not always_hold(confidence_sequence(walk, best_variance(effect))) for walk in walks)

    assert shown >= binom.ppf(0.01, 400, 0.8)


def test_the_band_is_narrowest_where_it_is_to_be() -> None:
    assert standard_errors(1, 1) == pytest.approx(NARROWEST)
    assert standard_errors(1, 1) < min(standard_errors(0.5, 1), standard_errors(2, 1))
    assert pytest.approx(3.035, abs=0.001) == NARROWEST


def test_of_few_users_the_band_is_wider() -> None:
    (few,) = confidence_sequence([ArmEstimate(0.0, 1.0, 5)], 1.0)
    (many,) = confidence_sequence([ArmEstimate(0.0, 1.0, SURE)], 1.0)

    assert many.high == pytest.approx(NARROWEST, rel=1e-3)
    assert few.high is not None
    assert few.high > 1.5 * NARROWEST


def test_a_look_without_a_variance_has_no_band() -> None:
    assert confidence_sequence([ArmEstimate(0.1, 0.0, 1)], 1.0) == [Estimate(0.1, None, None)]
