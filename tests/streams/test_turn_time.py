from datetime import UTC, datetime

import pytest

from streams.turn_time import AHEAD_MS, EARLIEST_MS, time_fault

NOW_MS = 1_750_000_000_000
NOW_S = NOW_MS // 1_000


@pytest.mark.parametrize("ts_ms", [EARLIEST_MS, 1_736_137_581_488, NOW_MS, NOW_MS + AHEAD_MS])
def test_milliseconds_from_2000_to_tomorrow_are_times(ts_ms: int) -> None:
    assert time_fault(ts_ms, NOW_MS) is None


@pytest.mark.parametrize("ts_ms", [EARLIEST_MS // 1_000, 1_736_137_581, NOW_S + AHEAD_MS // 1_000])
def test_seconds_are_named_and_what_makes_milliseconds_of_them(ts_ms: int) -> None:
    fault = time_fault(ts_ms, NOW_MS)
    assert fault == (
        f"{ts_ms} is before the year 2000: times are milliseconds since 1970-01-01 UTC, and this looks like "
        "seconds; multiply it by 1,000"
    )
    assert time_fault(ts_ms * 1_000, NOW_MS) is None


@pytest.mark.parametrize(
    ("factor", "unit", "remedy"),
    [(1_000, "microseconds", "divide it by 1,000"), (1_000_000, "nanoseconds", "divide it by 1,000,000")],
)
@pytest.mark.parametrize("ts_ms", [EARLIEST_MS, 1_736_137_581_488, NOW_MS + AHEAD_MS])
def test_smaller_units_are_named(ts_ms: int, factor: int, unit: str, remedy: str) -> None:
    fault = time_fault(ts_ms * factor + factor - 1, NOW_MS)
    assert fault is not None
    assert fault.endswith(f"this looks like {unit}; {remedy}")


@pytest.mark.parametrize("ts_ms", [-(10**30), -1, 0, 30_000, EARLIEST_MS // 1_000 - 1, EARLIEST_MS - 1])
def test_a_clock_that_was_never_set_is_no_mistake_in_the_unit(ts_ms: int) -> None:
    fault = time_fault(ts_ms, NOW_MS)
    assert fault is not None
    assert fault.startswith(f"{ts_ms} is before the year 2000: ")
    assert fault.endswith("set the clock that gave it, or leave the turn out")


@pytest.mark.parametrize("ts_ms", [NOW_MS + AHEAD_MS + 1, 2 * NOW_MS, 10**30])
def test_a_time_of_the_future_is_held_against_the_clock_here(ts_ms: int) -> None:
    fault = time_fault(ts_ms, NOW_MS)
    assert fault is not None
    assert fault.startswith(f"{ts_ms} is more than a day ahead of the clock here, 2025-06-15 15:06 UTC: ")
    assert fault.endswith("set the clock that is wrong, or leave the turn out")


def test_the_bounds_are_the_year_2000_and_a_day() -> None:
    assert datetime.fromtimestamp(EARLIEST_MS / 1_000, UTC) == datetime(2000, 1, 1, tzinfo=UTC)
    assert AHEAD_MS == 24 * 60 * 60 * 1_000
