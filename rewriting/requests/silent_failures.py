"""Silent failures: how often a request that went wrong shows no sign of it.

A user who got the wrong answer may shrug and leave, so a log shows fewer failures than there were, and a
rewrite that mends a silent one looks like a loss. How many are silent can be told without annotation:
requests with the same words, heard about as well, are all right or all wrong, so over many such cells the
rates at which they show success fall into two heaps. The lower heap is of what was wrong, and its rate is the
silent share (a mixture of two binomials, fitted by expectation maximisation, as in Dawid and Skene's observer
model).
"""

import math
from collections.abc import Iterable

import numpy as np
from msgspec import Struct

from rewriting.requests.statistics import TextStatistics

MIN_REQUESTS = 10
"""Requests of a cell. Fewer, and the two heaps overlap; more, and too few cells are left."""

MIN_CELLS = 100
"""Cells without which nothing is claimed."""

_ROUNDS = 500
_CLOSE = 1e-9
_MOST_LOG_ODDS = 500.0


class SilentFailures(Struct, frozen=True):
    """The observed success of requests that were wrong and of those that were right."""

    silent_share: float  # of the requests that were wrong, 0..1: these look as if they had been met
    right_success: float  # of those that were right, 0..1
    wrong_share: float  # of the cells, 0..1
    cells: int


NONE_SILENT = SilentFailures(0.0, 1.0, 0.0, 0)
"""Where the log is too small to tell: every success counts as one, which makes rewriting more careful."""


def silent_failures(texts: Iterable[TextStatistics]) -> SilentFailures:
    """Estimates them from the counts of an assistant's texts; `NONE_SILENT` from fewer than `MIN_CELLS`."""
    cells = [
        (requests, text.outcomes.shown.get(index, 0))
        for text in texts
        for index, requests in text.outcomes.requests.items()
        if requests >= MIN_REQUESTS
    ]
    if len(cells) < MIN_CELLS:
        return NONE_SILENT
    n, met = np.array(sorted(cells), dtype=np.float64).T
    share, wrong, right = 0.2, 0.3, 0.95  # any start with wrong below right leads to the same heaps
    for _ in range(_ROUNDS):
        log_odds = (
            np.log(share / (1 - share))
            + met * np.log(wrong / right)
            + (n - met) * np.log((1 - wrong) / (1 - right))
        )
        belongs = 1 / (1 + np.exp(np.clip(-log_odds, -500, 500)))  # to the lower heap
        before = share, wrong, right
        share = _inside(belongs.mean())
        wrong = _inside((belongs * met).sum() / (belongs * n).sum())
        right = _inside(((1 - belongs) * met).sum() / max(((1 - belongs) * n).sum(), 1.0))
        if np.allclose(before, (share, wrong, right), rtol=0, atol=_CLOSE):
            break
    if wrong >= right:
        return NONE_SILENT
    return SilentFailures(float(wrong), float(right), float(share), len(cells))


def right_probability(met: float, requests: float, silent: SilentFailures) -> float:
    """How likely requests are right that came in the same words, and were understood about as surely, 0..1.

    By Bayes' rule over the two heaps. NaN where they are fewer than `MIN_REQUESTS`, or nothing is known of
    the heaps.

    Args:
        met: how many of them showed success.
        requests: how many there were.
        silent: the heaps.
    """
    if requests < MIN_REQUESTS or not silent.cells:
        return math.nan
    failed = requests - met
    if_wrong = met * math.log(silent.silent_share) + failed * math.log(1 - silent.silent_share)
    if_right = met * math.log(silent.right_success) + failed * math.log(1 - silent.right_success)
    log_odds = if_right - if_wrong + math.log((1 - silent.wrong_share) / silent.wrong_share)
    return 1 / (1 + math.exp(min(-log_odds, _MOST_LOG_ODDS)))


def _inside(value: float) -> float:
    return min(max(float(value), 1e-3), 1 - 1e-3)
