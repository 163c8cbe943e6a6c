import math

import numpy as np
import pytest

from rewriting.requests.silent_failures import (
    MIN_CELLS,
    MIN_REQUESTS,
    NONE_SILENT,
    SilentFailures,
    right_probability,
    silent_failures,
)
from rewriting.requests.statistics import Outcomes, TextStatistics


def texts(n: int, silent_share: float, wrong_share: float = 0.2, requests: int = 25) -> list[TextStatistics]:
    generator = np.random.default_rng(4)
    made = []
    for i in range(n):
        success = silent_share if i < n * wrong_share else 0.97
        shown = int(generator.binomial(requests, success))
        made.append(TextStatistics(Outcomes({3: requests}, {3: float(shown)}, {3: shown}), 9, {}, {}))
    return made


@pytest.mark.parametrize("silent_share", [0.1, 0.3, 0.5])
def test_the_silent_share_is_found(silent_share: float) -> None:
    found = silent_failures(texts(1000, silent_share))
    assert found.silent_share == pytest.approx(silent_share, abs=0.03)
    assert found.right_success == pytest.approx(0.97, abs=0.01)
    assert found.wrong_share == pytest.approx(0.2, abs=0.03)


def test_a_small_log_claims_nothing() -> None:
    assert silent_failures(texts(MIN_CELLS - 1, 0.3)) == NONE_SILENT
    assert silent_failures(texts(1000, 0.3, requests=5)) == NONE_SILENT
    assert silent_failures([]) == NONE_SILENT


def test_as_many_cells_as_are_needed_are_enough() -> None:
    assert silent_failures(texts(MIN_CELLS, 0.3)).cells == MIN_CELLS


def test_the_order_of_the_texts_does_not_matter() -> None:
    made = texts(400, 0.3)
    assert silent_failures(made) == silent_failures(reversed(made))


HEAPS = SilentFailures(silent_share=0.3, right_success=0.98, wrong_share=0.2, cells=500)


def test_enough_requests_tell_whether_they_are_right() -> None:
    assert right_probability(98, 100, HEAPS) > 0.999
    assert right_probability(30, 100, HEAPS) < 0.001
    # By hand: 0.8 * 0.98^9 * 0.02 against 0.2 * 0.3^9 * 0.7.
    by_hand = 0.8 * 0.98**9 * 0.02 / (0.8 * 0.98**9 * 0.02 + 0.2 * 0.3**9 * 0.7)
    assert right_probability(9, 10, HEAPS) == pytest.approx(by_hand)


def test_of_few_requests_or_unknown_heaps_nothing_is_claimed() -> None:
    assert math.isnan(right_probability(9, MIN_REQUESTS - 1, HEAPS))
    assert math.isnan(right_probability(98, 100, NONE_SILENT))
