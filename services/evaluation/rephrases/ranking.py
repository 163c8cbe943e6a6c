"""How well scores put right answers first: what a system is worth at other thresholds than its own.

Recall is over all gold rephrases, so one for which the right turn is never named is missed at every
threshold. With P and R at the thresholds k, from the highest score down,

    average precision = sum_k (R_k - R_{k-1}) P_k
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.evaluation.common.confidence_interval import Estimate, estimate
from services.evaluation.common.score_thresholds import CurvePoint, drawn_curve, thresholds_of

WANTED_PRECISION = 0.9
"""At which the recall is given: what is learned from rephrases may be wrong once in ten."""

_CELLS = 4_000_000  # of a table of resamples and turns: some 30 MB at a time

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Ranked(Struct, frozen=True):
    """The turns for which some turn is named, and how many rephrases there are to be found."""

    scores: Floats  # (turns,)
    right: Bools  # (turns,) the named turn is the right one
    user: NDArray[np.int64]  # (turns,) 0..users-1
    gold: Floats  # (users,) rephrases of each


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
    n_ranked = len(ranked.scores)
    if not n_ranked:  # one turn of which nothing true is said makes the arithmetic hold
        ranked = Ranked(np.zeros(1), np.zeros(1, np.bool_), np.zeros(1, np.int64), ranked.gold)
    order, ends, thresholds = thresholds_of(ranked.scores)
    right = ranked.right[order].astype(np.float64)
    user = ranked.user[order]
    whole = np.ones((1, len(ranked.gold)))
    precision, recall, f1 = _at_thresholds(right, user, ends, ranked.gold, whole)
    values = _measures(precision, recall, f1)[:, 0]
    rows = max(1, _CELLS // len(order))
    draws = np.concatenate(
        [np.empty((3, 0))]
        + [
            _measures(*_at_thresholds(right, user, ends, ranked.gold, weights[start : start + rows]))
            for start in range(0, len(weights), rows)
        ],
        axis=1,
    )  # (3, resamples)
    found = n_ranked > 0 and ranked.gold.sum() > 0
    score = RankingScore(
        average_precision=estimate(float(values[0]), draws[0]),
        recall_at_precision=estimate(float(values[1]), draws[1]),
        best_f1=estimate(float(values[2]), draws[2]),
        best_threshold=float(thresholds[f1[0].argmax()]) if found else None,
        curve=drawn_curve(thresholds, precision[0], recall[0]) if found else (),
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
