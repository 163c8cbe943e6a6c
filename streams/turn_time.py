"""What a time of a log may be: milliseconds since 1970-01-01 UTC, not before 2000, and not in the future.

A time in another unit is no small fault. Seconds taken for milliseconds put a day of a user's requests into a
minute and a half, and requests that have nothing to do with each other become second tries of each other.
"""

from datetime import UTC, datetime
from typing import Final

EARLIEST_MS: Final = 946_684_800_000
"""2000-01-01 UTC. No log of an assistant is older, and no time in seconds gets here before the year 31968."""

AHEAD_MS: Final = 86_400_000
"""How far a time may be ahead of the clock: one day. Local time written as UTC is up to 14 h ahead; lowered,
such logs are refused. Raised, the turns of a clock that is wrong are a user's latest turns for longer."""

UNIT: Final = "times are milliseconds since 1970-01-01 UTC"

_SECONDS: Final = 1_000  # milliseconds in one
_SMALLER_UNITS: Final = {"microseconds": 1_000, "nanoseconds": 1_000_000}  # that make a millisecond


def time_fault(ts_ms: int, now_ms: int) -> str | None:
    """What is wrong with a time, and what to do about it; None: nothing.

    Args:
        ts_ms: a time that is said to be in milliseconds since 1970.
        now_ms: the clock, milliseconds since 1970.

    >>> time_fault(1_736_137_581_488, now_ms=1_750_000_000_000)
    >>> time_fault(1_736_137_581, now_ms=1_750_000_000_000)
    '1736137581 is before the year 2000: times are milliseconds since 1970-01-01 UTC, and this looks like \
seconds; multiply it by 1,000'
    """
    if EARLIEST_MS <= ts_ms <= now_ms + AHEAD_MS:
        return None
    if ts_ms < EARLIEST_MS:
        where = f"{ts_ms} is before the year 2000"
        if EARLIEST_MS <= ts_ms * _SECONDS <= now_ms + AHEAD_MS:
            return f"{where}: {UNIT}, and this looks like seconds; multiply it by 1,000"
        return f"{where}: {UNIT}; set the clock that gave it, or leave the turn out"
    where = f"{ts_ms} is more than a day ahead of the clock here, {minute_of(now_ms)}"
    for unit, factor in _SMALLER_UNITS.items():
        if EARLIEST_MS <= ts_ms // factor <= now_ms + AHEAD_MS:
            return f"{where}: {UNIT}, and this looks like {unit}; divide it by {factor:,}"
    return f"{where}: {UNIT}; set the clock that is wrong, or leave the turn out"


def minute_of(ms: int) -> str:
    """The minute of a time in milliseconds since 1970, for people."""
    return datetime.fromtimestamp(ms // 1_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
