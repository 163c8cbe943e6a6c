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


def trust(ordinary_by_day: Mapping[int, int], of_pair: int = 0) -> float:
    """The trust in one account: 0 while it is new, 1 at `TRUSTED_AGE_DAYS`, then its age to the fourth power.

    Args:
        ordinary_by_day: day -> sessions of the account without a second try of anything: who plants one pair
            has no ordinary use while planting another.
        of_pair: requests of the account with the source or the target in question, but for the second tries
            themselves: whoever says nothing else has no ordinary use either.

    Returns:
        0..`MOST_TRUST`.
    """
    days = ordinary_by_day.keys()
    age = max(days) - min(days) + 1 if days else 0
    least = ACTIVE_SHARE * age
    if age < TRUSTED_AGE_DAYS or len(days) < least or sum(ordinary_by_day.values()) - of_pair < least:
        return 0.0
    return min((age / TRUSTED_AGE_DAYS) ** _GROWTH, MOST_TRUST)


def weight(trusted: float) -> float:
    """What an account counts where new ones count too: from 1 to 1.5, by its trust."""
    return min(1 + (_MOST_WEIGHT - 1) * trusted / (MOST_TRUST / 3), _MOST_WEIGHT)
