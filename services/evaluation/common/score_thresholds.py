"""Thresholds of scores: what is said as the threshold falls from one score to the next."""

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.evaluation.common.arrays import Floats, Ints

CURVE_POINTS = 200
"""Thresholds in a curve at most: more than a plot of this width can show."""


class CurvePoint(Struct, frozen=True):
    """Precision and recall if what has at least this score is believed."""

    threshold: float
    precision: float
    recall: float


class ReliabilityBin(Struct, frozen=True):
    """Items whose score lies in a tenth of 0..1."""

    items: int
    mean_score: float
    share_true: float


class Thresholds(NamedTuple):
    """The distinct scores of items, from the highest."""

    order: Ints  # (items,) the items from the highest score down; those of one score in their order
    ends: Ints  # (thresholds,) where in this order the last item of each score is
    scores: Floats  # (thresholds,)


def thresholds_of(scores: Floats) -> Thresholds:
    """The thresholds of scores, (items,), of which there is at least one."""
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    return Thresholds(order, ends, falling[ends])


def best_f1(scores: Floats, right: NDArray[np.generic], to_find: float) -> tuple[float, float]:
    """The threshold with the best F1, of several the highest, and that F1; arguments as for the curve."""
    order, ends, thresholds = thresholds_of(scores)
    f1 = 2 * right[order].cumsum()[ends] / (ends + 1 + to_find)
    return float(thresholds[f1.argmax()]), float(f1.max())


def precision_recall_curve(
    scores: Floats, right: Floats, to_find: float | None = None
) -> tuple[CurvePoint, ...]:
    """Precision and recall as the threshold falls, at as many thresholds as can be drawn.

    Args:
        scores: (items,).
        right: (items,) 0..1, how right it is to believe each.
        to_find: how much is right in all, at least what is right of the items; without any there is no curve.
    """
    to_find = float(right.sum()) if to_find is None else to_find
    if not len(scores) or not to_find:
        return ()
    order, ends, thresholds = thresholds_of(scores)
    hits = right[order].cumsum()[ends]
    precision, recall = hits / (ends + 1), hits / to_find
    return tuple(
        CurvePoint(float(thresholds[k]), float(precision[k]), float(recall[k])) for k in drawn_of(len(ends))
    )


def drawn_of(thresholds: int) -> Ints:
    """The numbers of the thresholds that a curve shows: all, or `CURVE_POINTS` of them."""
    return np.unique(np.linspace(0, thresholds - 1, CURVE_POINTS).round().astype(np.int64))
