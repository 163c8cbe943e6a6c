"""The latest runs of a rewrite: whether what it runs has gone, such as a station that is closed."""

from collections.abc import Mapping
from typing import Final

from rewriting.chains.counts import RunOutcome

LATEST_RUNS: Final = 10
"""Requests by which a rewrite is judged: the last ones, of whole days. Raised, one whose target is gone stays
for longer; lowered, a bad day takes a good one away."""

FEWEST_FAILED: Final = 3


def fails_lately(run: Mapping[RunOutcome, int]) -> bool:
    """Whether most of the last requests that a rewrite was run for have failed, and three at least.

    Args:
        run: how requests ended that it was run for -> times.
    """
    failed, all_of_them, day = 0, 0, 0
    for outcome in sorted(run, key=lambda outcome: -outcome.day):
        if all_of_them >= LATEST_RUNS and outcome.day < day:
            break
        day = outcome.day
        all_of_them += run[outcome]
        failed += outcome.failed * run[outcome]
    return failed >= FEWEST_FAILED and failed > all_of_them / 2
