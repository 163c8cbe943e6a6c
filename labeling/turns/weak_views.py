"""Weak views: what is seen of turns, or of pairs, each view telling something of a hidden class.

How much each value of a view tells is the logarithm of how much likelier it is in the class than outside,
where the class is known by probabilities: a step of expectation maximisation (Dawid and Skene, 1979).
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

PSEUDO_ITEMS = 5.0
"""Added to each side, spread as the values are: a value that was seen a few times only tells little."""

V = TypeVar("V", bound=Hashable)
Tables = Mapping[str, NDArray[np.float64]]  # by view: (values,) log likelihood ratios


class WeakViews(Struct, Generic[V], frozen=True):
    """The values of each view, numbered."""

    numbers: dict[str, dict[V, int]]
    columns: dict[str, NDArray[np.int64]]  # by view: (items,) number of the value

    @classmethod
    def of(cls, names: Sequence[str], rows: Sequence[Sequence[V]]) -> "WeakViews[V]":
        """Numbers what was seen: of each item the value of each view, in the order of their names."""
        numbers: dict[str, dict[V, int]] = {name: {} for name in names}
        columns = {
            name: np.array([numbers[name].setdefault(row[i], len(numbers[name])) for row in rows])
            for i, name in enumerate(names)
        }
        return cls(numbers, columns)

    def ratios(self, probabilities: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """How much each value tells, where `probabilities` (items,) are those of the class."""
        return {
            name: _likelihood_ratios(column, probabilities, len(self.numbers[name]))
            for name, column in self.columns.items()
        }

    def told(self, tables: Tables) -> NDArray[np.float64]:
        """What all views together tell of each item: (items,) log likelihood ratios."""
        n_items = len(next(iter(self.columns.values())))
        return sum((tables[name][column] for name, column in self.columns.items()), np.zeros(n_items))

    def by_value(self, tables: Tables) -> dict[str, dict[V, float]]:
        """The same by view and value."""
        return {
            name: {value: float(tables[name][number]) for value, number in numbers.items()}
            for name, numbers in self.numbers.items()
        }


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities of log odds."""
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(log_odds, -700, 700)))
    return probabilities


def _likelihood_ratios(
    column: NDArray[np.int64], probabilities: NDArray[np.float64], values: int
) -> NDArray[np.float64]:
    yes = np.bincount(column, probabilities, values)
    no = np.bincount(column, 1 - probabilities, values)
    overall = (yes + no) / (yes + no).sum()
    smoothed_yes = (yes + PSEUDO_ITEMS * overall) / (yes.sum() + PSEUDO_ITEMS)
    smoothed_no = (no + PSEUDO_ITEMS * overall) / (no.sum() + PSEUDO_ITEMS)
    ratios: NDArray[np.float64] = np.log(smoothed_yes) - np.log(smoothed_no)
    return ratios
