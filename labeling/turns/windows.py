"""Turn windows: in which parts a long dialogue is read."""

from collections.abc import Iterator
from typing import Final

WINDOW: Final = 48
"""Turns that are read together; of longer dialogues, windows that overlap."""

_MARGIN: Final = 12  # turns at an inner edge of a window that are only context


def turn_windows(n_turns: int) -> Iterator[tuple[int, range]]:
    """First turn of each window, and the turns that are read in its middle; every turn once."""
    done = 0
    start = 0
    while done < n_turns:
        end = start + WINDOW
        last = n_turns if end >= n_turns else end - _MARGIN
        yield start, range(done, last)
        done = last
        start = done - _MARGIN
