"""When users turn to their assistant."""

from random import Random

from services.simulator.world.chance import bell
from services.simulator.world.settings import DAY_MS
from services.simulator.world.user import User

LATEST_VISIT_MS = DAY_MS - 1_800_000
"""No visit starts in the last half hour of a day, UTC: so none crosses midnight, and a day is complete when
its users are."""

MORE_WISHES_RATE = 0.3
"""Chance that one more wish follows in the same visit, often within the gap that ends a session."""

HOUR_MS = 3_600_000


def visits(user: User, requests_per_day: float, rng: Random) -> list[int]:
    """Starts of the stretches in which a user has one wish or several, milliseconds after midnight."""
    # A visit has 1 / (1 - MORE_WISHES_RATE) wishes on average; some days are busier than others.
    wishes = requests_per_day * (0.4 + 1.2 * rng.random())
    expected = wishes * (1 - MORE_WISHES_RATE)
    hours = [
        bell(rng, user.hours[rng.random() < 0.6], 2.5) if rng.random() < 0.8 else 5 + 18 * rng.random()
        for _ in range(int(expected) + (rng.random() < expected % 1))
    ]
    return sorted(int(hour * HOUR_MS) for hour in hours)
