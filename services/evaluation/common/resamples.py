"""Measures of a log and of resamples of its clusters, all at once.

A measure is an array over draws. Draw 0 is the log itself; the others resample its users, or the
dialogues of one user, the same for every measure, so that measures of two systems may be subtracted.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from scipy.sparse import csr_array

from services.evaluation.common.arrays import Floats, Ints
from services.evaluation.common.confidence_interval import Estimate, estimate, user_weights
from services.evaluation.common.score_thresholds import thresholds_of

Measures = Mapping[str, Floats]
"""Draws of measures by name: (draws,) each; NaN where not defined."""

AtThresholds = Callable[[Floats, Floats, slice], Floats]
"""From weights of what is said and of what is rightly said at each threshold, from the highest down,
(draws, thresholds) each, and the numbers of these draws: measures, (draws, measures)."""

_CELLS = 4_000_000  # of a table of draws and items: some 30 MB at a time


def numbered(names: Iterable[Hashable]) -> tuple[Ints, int]:
    """A number for each name, (names,), in the order in which they first come; and how many there are."""
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64), len(numbers)


class ClusterResamples:
    """How often each cluster counts in each draw.

    Args:
        clusters: how many there are.
        resamples: of them.
        seed: of the resampling.
    """

    def __init__(self, clusters: int, resamples: int, seed: int) -> None:
        whole = np.ones((1, clusters))
        self._weights: Floats = np.concatenate([whole, user_weights(clusters, resamples, seed)])
        self.clusters = clusters
        self.draws = resamples + 1

    def sums(self, cluster: Ints, values: Floats) -> Floats:
        """Sums of the values of items.

        Args:
            cluster: (items,) of each.
            values: (items,) or (items, columns).

        Returns:
            (draws,) or (draws, columns).
        """
        rows = (np.ones(len(cluster)), (cluster, np.arange(len(cluster))))
        return self.of(csr_array(rows, shape=(self.clusters, len(cluster))) @ values)

    def of(self, by_cluster: Floats) -> Floats:
        """Sums of what the clusters have: (..., clusters, columns) to (..., draws, columns)."""
        sums: Floats = self._weights @ by_cluster
        return sums

    def counts(self, cluster: Ints, number: Ints, numbers: int) -> Floats:
        """How many items have each number.

        Args:
            cluster: (items,) of each.
            number: (items,) 0..numbers-1, or negative: the item is passed over.
            numbers: how many there are.

        Returns:
            (draws, numbers).
        """
        kept = number >= 0
        cells = (np.ones(kept.sum()), (number[kept], cluster[kept]))
        by_cluster = csr_array(cells, shape=(numbers, self.clusters))  # the same cells add up
        counts: Floats = (by_cluster @ self._weights.T).T
        return counts

    def at_thresholds(
        self, scores: Floats, right: Floats, cluster: Ints, measure: AtThresholds, measures: int
    ) -> Floats:
        """Measures over all thresholds of scores.

        Args:
            scores: (items,), the higher the earlier an item is said.
            right: (items,) 0..1: how right it is to say it.
            cluster: (items,) of each.
            measure: is called with some of the draws at a time.
            measures: how many it gives.

        Returns:
            (draws, measures); NaN where there are no items.
        """
        found = np.full((self.draws, measures), np.nan)
        if not len(scores):
            return found
        order, ends, _ = thresholds_of(scores)
        rows = max(1, _CELLS // len(order))
        for start in range(0, self.draws, rows):
            part = slice(start, min(start + rows, self.draws))
            drawn = self._weights[part][:, cluster[order]]
            said = drawn.cumsum(axis=1)[:, ends]
            drawn *= right[order]
            found[part] = measure(said, drawn.cumsum(axis=1)[:, ends], part)
        return found


def estimates(measures: Measures) -> dict[str, Estimate]:
    """Each measure with its interval."""
    return {name: estimate(float(draws[0]), draws[1:]) for name, draws in measures.items()}


def differences(measures: Measures, others: Measures) -> dict[str, Estimate]:
    """How much more each measure is than that of another system, where both have it."""
    return estimates({name: draws - others[name] for name, draws in measures.items() if name in others})


class Difference(Struct, frozen=True, kw_only=True):
    """How much more the measures of a system are than those of another, on the same resamples."""

    system: str
    other: str
    measures: dict[str, Estimate]


def differences_of_first(draws: Sequence[tuple[str, Measures]]) -> tuple[Difference, ...]:
    """The differences of the first system and each other one, from the names and measures of all."""
    (first, ours), *others = draws
    return tuple(
        Difference(system=first, other=name, measures=differences(ours, theirs)) for name, theirs in others
    )


def share(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to share."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: Floats = np.where(whole > 0, part / whole, np.nan)
    return shares


def agreement(both: Floats, gold: Floats, said: Floats) -> dict[str, Floats]:
    """Precision, recall and F1 of sums of what is right, of what there is, and of what was said."""
    return {
        "precision": share(both, said),
        "recall": share(both, gold),
        "f1": share(2 * both, gold + said),
    }
