"""Chance that gives the same numbers on every platform.

Every part of the world draws from a stream of its own, named after the part, so that one more user or one
more phrase changes nothing else. Only `random()` and exact arithmetic are used: no logarithms or powers,
whose last digit differs between platforms, and no choice made by `hash()`.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import TypeVar

T = TypeVar("T")


def stream(*name: object) -> Random:
    """The stream of chance of a part of the world, e.g. `stream(seed, "user", 17)`."""
    return Random("/".join(str(part) for part in name))  # noqa: S311  a simulation needs repeatable chance


def pick(rng: Random, options: Sequence[T]) -> T:
    """One of the options, all equally likely.

    Raises:
        IndexError: there are none.
    """
    return options[int(rng.random() * len(options))]


def cumulative(weights: Sequence[float]) -> tuple[float, ...]:
    """Running sums, for `pick_by`."""
    return tuple(accumulate(weights))


def pick_by(rng: Random, options: Sequence[T], sums: Sequence[float]) -> T:
    """One of the options, with odds by the weights whose running sums are given."""
    return options[min(bisect_right(sums, rng.random() * sums[-1]), len(options) - 1)]


def rank_weights(count: int, offset: float) -> tuple[float, ...]:
    """Running sums of Zipf's weights 1 / (rank + offset), rank from 0; a larger offset flattens the head."""
    return cumulative([1 / (rank + offset) for rank in range(count)])


def bell(rng: Random, centre: float, width: float) -> float:
    """A bell-shaped number in centre ± width, with standard deviation width / 3."""
    return centre + width * (2 * (rng.random() + rng.random() + rng.random()) / 3 - 1)
