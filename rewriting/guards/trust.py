"""Trust: how much one account counts, by its age, its days and the breadth of its ordinary use.

Accounts are free: whoever plants a rewrite can make any number of them, and use each as often as needed. What
cannot be made in a day is an account that has been in use for weeks, for many things.
"""

from collections.abc import Mapping
from typing import Final

TRUSTED_AGE_DAYS: Final = 14
"""Days from the first ordinary use of an account to its last, for it to have the trust of 1."""

ACTIVE_SHARE: Final = 0.25
"""Least share of these days with ordinary use, 0..1."""

MOST_TRUST: Final = 12.0
"""Of one account: it has it after 26 days of use."""

_GROWTH: Final = 4
_MOST_WEIGHT: Final = 1.5


def trust(sessions_by_day: Mapping[int, int], evidence_by_day: Mapping[int, int]) -> float:
    """The trust in one account: 0 while it is new, 1 at `TRUSTED_AGE_DAYS`, then its age to the fourth power.

    Args:
        sessions_by_day: day -> sessions of the account.
        evidence_by_day: day -> those of them that speak for the pair in question: they are no ordinary use.

    Returns:
        0..`MOST_TRUST`.
    """
    ordinary = [day for day, count in sessions_by_day.items() if count > evidence_by_day.get(day, 0)]
    age = max(ordinary) - min(ordinary) + 1 if ordinary else 0
    if age < TRUSTED_AGE_DAYS or len(ordinary) < ACTIVE_SHARE * age:
        return 0.0
    return min((age / TRUSTED_AGE_DAYS) ** _GROWTH, MOST_TRUST)


def weight(trusted: float) -> float:
    """What an account counts where new ones count too: from 1 to 1.5, by its trust."""
    return min(1 + (_MOST_WEIGHT - 1) * trusted / (MOST_TRUST / 3), _MOST_WEIGHT)
