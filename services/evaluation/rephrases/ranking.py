"""How well scores put right answers first: what a system is worth at other thresholds than its own.

Recall is over all gold rephrases, so one for which the right turn is never named is missed at every
threshold. With P and R at the thresholds k, from the highest score down,

    average precision = sum_k (R_k - R_{k-1}) P_k
"""

import numpy as np
from msgspec import Struct

from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.resamples import ClusterResamples, Measures, estimates
from services.evaluation.common.score_thresholds import CurvePoint, best_f1, precision_recall_curve

WANTED_PRECISION = 0.9
"""At which the recall is given: what is learned from rephrases may be wrong once in ten."""


class Ranked(Struct, frozen=True):
    """The turns for which some turn is named, and how many rephrases there are to be found."""

    scores: Floats  # (turns,)
    right: Bools  # (turns,) the named turn is the right one
    user: Ints  # (turns,) 0..users-1
    gold: Floats  # (users,) rephrases of each


class RankingScore(Struct, frozen=True, kw_only=True):
    """The measures over all thresholds; not defined where there is no rephrase to be found."""

    average_precision: Estimate
    recall_at_precision: Estimate  # at the threshold that is best for it; 0 where none reaches it
    best_f1: Estimate
    best_threshold: float | None  # of the best F1
    curve: tuple[CurvePoint, ...]  # from the highest threshold to the lowest


def ranking_measures(ranked: Ranked, resamples: ClusterResamples) -> Measures:
    """Average precision, recall at the wanted precision and best F1, as `RankingScore` calls them.

    Args:
        ranked: turns in any order.
        resamples: of the users.
    """
    to_find = resamples.of(ranked.gold[:, None])  # (draws, 1)

    def over_thresholds(said: Floats, hits: Floats, part: slice) -> Floats:
        gold = to_find[part]
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(said > 0, hits / said, 0.0)
            recall = np.where(gold > 0, hits / gold, np.nan)
            f1 = np.where(gold > 0, 2 * hits / (said + gold), np.nan)
        gains = np.diff(recall, axis=1, prepend=0.0) * precision
        average = gains.sum(axis=1)
        if part.start == 0:  # the log itself is summed pairwise, which rounds the least
            average[0] = np.ascontiguousarray(gains[0]).sum()
        reached = np.where((precision >= WANTED_PRECISION) | np.isnan(recall), recall, 0.0)
        return np.stack([average, reached.max(axis=1), f1.max(axis=1)], axis=1)

    right = ranked.right.astype(np.float64)
    found = resamples.at_thresholds(ranked.scores, right, ranked.user, over_thresholds, 3)
    if not len(ranked.scores):  # nothing true is said, whatever the threshold
        found = np.where(to_find > 0, 0.0, np.nan).repeat(3, axis=1)
    return dict(zip(("average_precision", "recall_at_precision", "best_f1"), found.T, strict=True))


def ranking_score(ranked: Ranked, measures: Measures) -> RankingScore:
    """The measures of `ranking_measures` with their intervals, and the curve that they are made from."""
    gold = float(ranked.gold.sum())
    best = None
    if len(ranked.scores) and gold:
        best, _ = best_f1(ranked.scores, ranked.right, gold)
    return RankingScore(
        **estimates(measures),
        best_threshold=best,
        curve=precision_recall_curve(ranked.scores, ranked.right.astype(np.float64), gold),
    )
