"""Thresholds of scores: what is said as the threshold falls from one score to the next."""

from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

CURVE_POINTS = 200
"""Thresholds in a curve at most: more than a plot of this width can show."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class CurvePoint(Struct, frozen=True):
    """Precision and recall if what has at least this score is believed."""

    threshold: float
    precision: float
    recall: float


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


def drawn_curve(thresholds: Floats, precision: Floats, recall: Floats) -> tuple[CurvePoint, ...]:
    """Precision and recall at the thresholds, (thresholds,) each, or at as many as can be drawn."""
    picked = np.unique(np.linspace(0, len(thresholds) - 1, CURVE_POINTS).round().astype(np.int64))
    return tuple(CurvePoint(float(thresholds[k]), float(precision[k]), float(recall[k])) for k in picked)
