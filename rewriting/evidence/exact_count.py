"""Exact counts: sums that leave no trace of what was added and taken away again."""

from typing import TypeVar

_Key = TypeVar("_Key")
_Outer = TypeVar("_Outer")
_Number = TypeVar("_Number", int, float)


def add_count(counts: dict[_Key, _Number], key: _Key, value: _Number) -> None:
    """Adds to a count; one that comes to zero is dropped, as if it had never been."""
    total = counts.get(key, 0) + value
    if total:
        counts[key] = total
    else:
        counts.pop(key, None)


def add_nested_count(
    counts: dict[_Outer, dict[_Key, _Number]], outer: _Outer, key: _Key, value: _Number
) -> None:
    """Adds to a count within others; where all of these come to zero, they are dropped together."""
    inner = counts.setdefault(outer, {})
    add_count(inner, key, value)
    if not inner:
        del counts[outer]
