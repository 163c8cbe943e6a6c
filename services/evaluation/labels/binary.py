"""Measures of a label that is yes or no, from a probability and a decision.

Truth may be a share of votes: an item of which it is true by 0.25 counts a quarter as true and three quarters
as false.
"""

import numpy as np
from msgspec import Struct

from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.resamples import ClusterResamples, Measures, agreement, share
from services.evaluation.common.score_thresholds import ReliabilityBin

BINS = 10  # of probabilities, for the calibration


class BinaryItems(Struct, frozen=True):
    """What is to be decided."""

    truth: Floats  # (items,) 0..1
    cluster: Ints  # (items,)


class BinaryAnswers(Struct, frozen=True):
    """What one system says of each item."""

    score: Floats  # (items,) 0..1: how likely it is true
    decided: Bools  # (items,) whether it says so


def decision_measures(
    items: BinaryItems, decided: Bools, resamples: ClusterResamples, weight: Floats | None = None
) -> dict[str, Floats]:
    """Accuracy, precision, recall and F1; where there are weights, (items,), each item counts so much."""
    said = decided.astype(np.float64)
    right = np.where(decided, items.truth, 1 - items.truth)
    columns = np.stack([np.ones(len(said)), items.truth, said, said * items.truth, right], axis=1)
    if weight is not None:
        columns *= weight[:, None]
    count, true, named, both, hits = resamples.sums(items.cluster, columns).T
    return {"accuracy": share(hits, count), **agreement(both, true, named)}


def binary_measures(
    items: BinaryItems, answers: BinaryAnswers, resamples: ClusterResamples
) -> dict[str, Floats]:
    """Decision measures, PR-AUC (average precision), ROC-AUC and calibration error."""
    true = resamples.sums(items.cluster, items.truth)
    false = resamples.sums(items.cluster, 1 - items.truth)

    def areas(said: Floats, hits: Floats, part: slice) -> Floats:
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = hits / true[part, None]
            precision = np.where(said > 0, hits / said, 0.0)
            fallout = (said - hits) / false[part, None]
        average = (np.diff(recall, axis=1, prepend=0.0) * precision).sum(axis=1)
        middle = (recall + np.concatenate([np.zeros((len(recall), 1)), recall[:, :-1]], axis=1)) / 2
        return np.stack([average, (np.diff(fallout, axis=1, prepend=0.0) * middle).sum(axis=1)], axis=1)

    average, roc = resamples.at_thresholds(answers.score, items.truth, items.cluster, areas, 2).T
    return {
        **decision_measures(items, answers.decided, resamples),
        "average_precision": average,
        "roc_auc": roc,
        "calibration_error": calibration_error(items, answers.score, resamples),
    }


def coverage_measures(
    items: BinaryItems, answers: BinaryAnswers, human: Measures, resamples: ClusterResamples
) -> dict[str, Floats]:
    """What can be left to a system that has to be as right as a person, on the same draws.

    `found_at_human_precision`: the most of what is true that is found with at least the person's precision;
    `named_at_human_precision`: the share of the items that is then named. `decided_at_human_accuracy`: the
    most items, the surest first, that are decided either way with at least the person's accuracy. Each is 0
    where no threshold reaches it.
    """
    count = resamples.sums(items.cluster, np.ones(len(items.cluster)))
    true = resamples.sums(items.cluster, items.truth)

    def at_precision(said: Floats, hits: Floats, part: slice) -> Floats:
        reached = hits >= human["precision"][part, None] * said
        last = _last(reached & (said > 0))
        return np.stack(
            [share(_at(hits, last), true[part]), share(_at(said, last), count[part])],
            axis=1,
        )

    def at_accuracy(said: Floats, hits: Floats, part: slice) -> Floats:
        last = _last((hits >= human["accuracy"][part, None] * said) & (said > 0))
        return share(_at(said, last), count[part])[:, None]

    found, named = resamples.at_thresholds(answers.score, items.truth, items.cluster, at_precision, 2).T
    right = np.where(answers.score >= 0.5, items.truth, 1 - items.truth)
    sureness = np.maximum(answers.score, 1 - answers.score)
    (decided,) = resamples.at_thresholds(sureness, right, items.cluster, at_accuracy, 1).T
    return {
        "found_at_human_precision": found,
        "named_at_human_precision": named,
        "decided_at_human_accuracy": decided,
    }


def _last(reached: Bools) -> Ints:
    """The last threshold of each draw that is reached; -1 where none is."""
    positions = np.where(reached, np.arange(reached.shape[1]), -1)
    last: Ints = positions.max(axis=1)
    return last


def _at(sums: Floats, last: Ints) -> Floats:
    """The sums at one threshold of each draw; 0 where there is none."""
    return np.where(last >= 0, sums[np.arange(len(sums)), last], 0.0)


def calibration_error(items: BinaryItems, score: Floats, resamples: ClusterResamples) -> Floats:
    """How far scores are from the share that is true, in tenths of scores: (draws,)."""
    columns = np.zeros((len(score), 2, BINS))
    rows, bins = np.arange(len(score)), _bins(score)
    columns[rows, 0, bins] = 1
    columns[rows, 1, bins] = score - items.truth
    sums = resamples.sums(items.cluster, columns.reshape(len(score), 2 * BINS)).reshape(-1, 2, BINS)
    return share(np.abs(sums[:, 1]).sum(axis=1), sums[:, 0].sum(axis=1))


def reliability(items: BinaryItems, score: Floats) -> tuple[ReliabilityBin, ...]:
    """How often items of a score are true, in tenths of scores that have any item, from the lowest."""
    counts, scores, true = (
        np.bincount(_bins(score), values, BINS) for values in (np.ones(len(score)), score, items.truth)
    )
    return tuple(
        ReliabilityBin(int(counts[k]), float(scores[k] / counts[k]), float(true[k] / counts[k]))
        for k in np.flatnonzero(counts)
    )


def _bins(score: Floats) -> Ints:
    bins: Ints = np.minimum((score * BINS).astype(np.int64), BINS - 1)
    return bins
