"""How long to wait before the next attempt."""

import random

FIRST_S, MAX_S = 0.1, 10.0
"""Waits double from the first to the longest: soon after a short lock, without a storm on what has been away
for long."""

SPREAD = 0.2
"""Workers that failed together do not come back together."""


def backoff_s(failures: int) -> float:
    """Seconds to wait after so many failures in a row, from 1: doubling, capped, spread."""
    delay_s = min(FIRST_S * 2.0 ** min(failures - 1, 30), MAX_S)
    return delay_s * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - spreads workers, no secret
