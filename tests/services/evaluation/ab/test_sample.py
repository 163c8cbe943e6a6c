"""Whether arms have the users they should have, and how many users a test needs."""

import numpy as np
import pytest
from experiment_world import UserWorld
from scipy.stats import binom, chisquare

from services.errors import SettingsError
from services.evaluation.ab.estimate import difference, user_variance
from services.evaluation.ab.sample_ratio import THRESHOLD, sample_ratio
from services.evaluation.ab.sample_size import ANY_TIME, ONE_LOOK, users_needed

SHARES = {"control": 0.05, "treatment": 0.95}


def test_p_is_that_of_the_chi_square_test() -> None:
    found = sample_ratio({"control": 61, "treatment": 939}, SHARES)

    assert found.p == pytest.approx(chisquare([61, 939], [50, 950]).pvalue)
    assert [(one.arm, one.users, one.expected) for one in found.arms] == [
        ("control", 61, 50),
        ("treatment", 939, 950),
    ]
    assert not found.mismatch


def test_users_that_go_missing_from_one_arm_are_a_mismatch() -> None:
    assert sample_ratio({"control": 500, "treatment": 7_500}, SHARES).mismatch
    assert sample_ratio({"treatment": 1_000}, SHARES).mismatch  # nobody in control
    assert not sample_ratio({"control": 500, "treatment": 9_500}, SHARES).mismatch


def test_true_shares_are_called_a_mismatch_in_one_of_a_thousand_experiments() -> None:
    counts = np.random.default_rng(4).multinomial(2_000, [0.2, 0.3, 0.5], 3_000)
    shares = {"a": 0.2, "b": 0.3, "c": 0.5}

    alarms = sum(
        sample_ratio(dict(zip(shares, map(int, row), strict=True)), shares).mismatch for row in counts
    )

    assert alarms <= binom.ppf(0.999, 3_000, THRESHOLD)


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ({"control": 0.5}, "the arm 'treatment', which has no share"),
        ({"control": 0.5, "treatment": 0.4}, "so that they sum to 1"),
        ({"control": 0.0, "treatment": 1.0}, "over 0"),
    ],
)
def test_shares_that_are_not_those_of_the_arms_are_refused(shares: dict[str, float], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        sample_ratio({"control": 1, "treatment": 1}, shares)


def test_as_many_users_as_are_said_to_be_needed_show_the_effect_in_four_of_five_tests() -> None:
    known = UserWorld(control=400, treated=400, days=5).sums(np.random.default_rng(0))[-1]
    variance = user_variance(known)
    assert variance is not None
    users = users_needed(variance, 0.3, 0.05, ONE_LOOK)
    control = round(0.3 * users)
    world = UserWorld(control=control, treated=users - control, days=5, effect=0.05)

    shown = 0
    for seed in range(300):
        found = difference(*world.sums(np.random.default_rng(seed))[-1])
        assert found is not None
        assert found.interval.low is not None
        shown += found.interval.low > 0

    assert binom.ppf(0.001, 300, 0.75) <= shown <= binom.ppf(0.999, 300, 0.85)  # the variance is of one log


def test_a_small_control_needs_more_users_and_so_does_looking_any_time() -> None:
    half, small = (users_needed(0.2, share, 0.02, ONE_LOOK) for share in (0.5, 0.05))

    assert small > 5 * half
    assert 1.9 < users_needed(0.2, 0.5, 0.02, ANY_TIME) / half < 1.93
