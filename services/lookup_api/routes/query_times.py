"""The times in a query: as those of a log, in milliseconds, and not from a wrong clock."""

import msgspec

from services.lookup_api.messages import RewriteQuery
from streams.turn_time import time_fault


def check_times(query: RewriteQuery, now_ms: int) -> None:
    """Refuses a query with a time before 2000, or more than a day in the future.

    Args:
        query: of a lookup.
        now_ms: the clock, milliseconds since 1970.

    Raises:
        msgspec.ValidationError: it has one; like those of decoding, it names the field.
    """
    _check("ts_ms", query.ts_ms, now_ms)
    for number, turn in enumerate(query.previous_turns):
        _check(f"previous_turns[{number}].ts_ms", turn.ts_ms, now_ms)


def _check(field: str, ts_ms: int | None, now_ms: int) -> None:
    if ts_ms is not None and (fault := time_fault(ts_ms, now_ms)) is not None:
        raise msgspec.ValidationError(f"{field} {fault} - at `$.{field}`")
