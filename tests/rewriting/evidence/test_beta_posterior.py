import numpy as np
import pytest

from rewriting.evidence.beta_posterior import BetaPosterior

PAIRS = [((0, 0), (0, 0)), ((3, 1), (1, 3)), ((0, 6), (2, 0)), ((40, 10), (35, 20)), ((1, 30), (0, 0))]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_closed_form_is_what_sampling_gives(one: tuple[int, int], other: tuple[int, int]) -> None:
    generator = np.random.default_rng(3)
    draws = [generator.beta(1 + success, 1 + failure, 400_000) for success, failure in (one, other)]
    sampled = float((draws[0] > draws[1]).mean())
    assert BetaPosterior(*one).above_other(BetaPosterior(*other)) == pytest.approx(sampled, abs=0.004)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_of_two_is_the_greater(one: tuple[int, int], other: tuple[int, int]) -> None:
    first, second = BetaPosterior(*one), BetaPosterior(*other)
    assert first.above_other(second) + second.above_other(first) == pytest.approx(1)


def test_a_rate_without_trials_is_anywhere() -> None:
    assert BetaPosterior(0, 0).above(0.3) == pytest.approx(0.7)
    assert BetaPosterior(0, 4).above(0.5) == pytest.approx(0.5**5)
    assert BetaPosterior(5_000, 1).above_other(BetaPosterior(1, 5_000)) == pytest.approx(1)
