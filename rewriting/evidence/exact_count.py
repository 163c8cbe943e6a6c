"""Exact counts: sums that leave no trace of what was added and taken away again."""

from typing import TypeVar

_Key = TypeVar("_Key")
_Number = TypeVar("_Number", int, float)


def add_count(counts: dict[_Key, _Number], key: _Key, value: _Number) -> None:
    """Adds to a count; one that comes to zero is dropped, as if it had never been."""
    total = counts.get(key, 0) + value
    if total:
        counts[key] = total
    else:
        counts.pop(key, None)
