"""How well scores put right answers first: what a system is worth at other thresholds than its own.

Recall is over all gold rephrases, so one for which the right turn is never named is missed at every
threshold. With P and R at the thresholds k, from the highest score down,

    average precision = sum_k (R_k - R_{k-1}) P_k
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.evaluation.confidence_interval import Estimate, estimate

WANTED_PRECISION = 0.9
"""At which the recall is given: what is learned from rephrases may be wrong once in ten."""

CURVE_POINTS = 200
"""Thresholds in a curve at most: more than a plot of this width can show."""

_CELLS = 4_000_000  # of a table of resamples and turns: some 30 MB at a time

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Ranked(Struct, frozen=True):
    """The turns for which some turn is named, and how many rephrases there are to be found."""

    scores: Floats  # (turns,)
    right: Bools  # (turns,) the named turn is the right one
    user: NDArray[np.int64]  # (turns,) 0..users-1
    gold: Floats  # (users,) rephrases of each


class CurvePoint(Struct, frozen=True):
    """Precision and recall if what has at least this score is believed."""

    threshold: float
    precision: float
    recall: float


class RankingScore(Struct, frozen=True, kw_only=True):
    """The measures over all thresholds; not defined where there is no rephrase to be found."""

    average_precision: Estimate
    recall_at_precision: Estimate  # at the threshold that is best for it; 0 where none reaches it
    best_f1: Estimate
    best_threshold: float | None  # of the best F1
    curve: tuple[CurvePoint, ...]  # from the highest threshold to the lowest


_NOTHING = RankingScore(
    average_precision=Estimate(None, None, None),
    recall_at_precision=Estimate(None, None, None),
    best_f1=Estimate(None, None, None),
    best_threshold=None,
    curve=(),
)


def score_ranking(ranked: Ranked, weights: Floats) -> tuple[RankingScore, Floats]:
    """Measures with their intervals, and the draws of average precision, (resamples,).

    Args:
        ranked: turns in any order.
        weights: (resamples, users), as `user_weights` gives.
    """
    if not len(ranked.gold):
        return _NOTHING, np.full(len(weights), np.nan)
    order = np.argsort(-ranked.scores, kind="stable")
    falling = ranked.scores[order]
    right = ranked.right[order].astype(np.float64)
    user = ranked.user[order]
    if not len(order):  # one turn of which nothing true is said makes the arithmetic hold
        falling, right, user = np.zeros(1), np.zeros(1), np.zeros(1, dtype=np.int64)
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    whole = np.ones((1, len(ranked.gold)))
    precision, recall, f1 = _at_thresholds(right, user, ends, ranked.gold, whole)
    values = _measures(precision, recall, f1)[:, 0]
    rows = max(1, _CELLS // max(1, len(order)))
    draws = np.concatenate(
        [np.empty((3, 0))]
        + [
            _measures(*_at_thresholds(right, user, ends, ranked.gold, weights[start : start + rows]))
            for start in range(0, len(weights), rows)
        ],
        axis=1,
    )  # (3, resamples)
    found = len(order) > 0 and ranked.gold.sum() > 0
    score = RankingScore(
        average_precision=estimate(float(values[0]), draws[0]),
        recall_at_precision=estimate(float(values[1]), draws[1]),
        best_f1=estimate(float(values[2]), draws[2]),
        best_threshold=float(falling[ends[f1[0].argmax()]]) if found else None,
        curve=tuple(_curve(falling[ends], precision[0], recall[0])) if found else (),
    )
    return score, draws[0]


def _at_thresholds(
    right: Floats, user: NDArray[np.int64], ends: NDArray[np.int64], gold: Floats, weights: Floats
) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and F1 at each threshold: (resamples, thresholds) each; NaN without any gold."""
    drawn = weights[:, user]  # (resamples, turns)
    believed = drawn.cumsum(axis=1)[:, ends]
    hits = (drawn * right).cumsum(axis=1)[:, ends]
    to_find = (weights @ gold)[:, None]  # (resamples, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(believed > 0, hits / believed, 0.0)
        recall = np.where(to_find > 0, hits / to_find, np.nan)
        f1 = np.where(to_find > 0, 2 * hits / (believed + to_find), np.nan)
    return precision, recall, f1


def _measures(precision: Floats, recall: Floats, f1: Floats) -> Floats:
    """Average precision, recall at the wanted precision, best F1: (3, resamples)."""
    steps = np.diff(recall, axis=1, prepend=0.0)
    reached = np.where((precision >= WANTED_PRECISION) | np.isnan(recall), recall, 0.0)
    return np.stack([(steps * precision).sum(axis=1), reached.max(axis=1), f1.max(axis=1)])


def _curve(thresholds: Floats, precision: Floats, recall: Floats) -> list[CurvePoint]:
    picked = np.unique(np.linspace(0, len(thresholds) - 1, CURVE_POINTS).round().astype(np.int64))
    return [CurvePoint(float(thresholds[k]), float(precision[k]), float(recall[k])) for k in picked]
