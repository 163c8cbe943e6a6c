"""Measures of items that have one class each, all draws at once."""

from typing import NamedTuple

import numpy as np

from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.resamples import ClusterResamples, agreement, share


class ClassAgreement(NamedTuple):
    """How well each class is found."""

    measures: dict[str, Floats]  # precision, recall and F1: (draws, classes) each; NaN where not defined
    macro_f1: Floats  # (draws,) the mean F1 of the classes that the gold of a draw has


def class_agreement(
    truth: Ints, named: Ints, classes: int, cluster: Ints, resamples: ClusterResamples
) -> ClassAgreement:
    """Compares what is named with what is true.

    Args:
        truth: (items,) 0..classes-1.
        named: (items,) the same; negative: no class of the gold.
        classes: how many there are.
        cluster: (items,) of each.
        resamples: of the clusters.
    """
    gold = resamples.counts(cluster, truth, classes)
    said = resamples.counts(cluster, named, classes)
    both = resamples.counts(cluster, np.where(named == truth, truth, -1), classes)
    measures = agreement(both, gold, said)
    there = gold > 0
    total = np.where(there, measures["f1"], 0.0).sum(axis=1)
    return ClassAgreement(measures, share(total, there.sum(axis=1).astype(np.float64)))


def abstention_measures(
    right: Floats, abstains: Bools, cluster: Ints, resamples: ClusterResamples
) -> dict[str, Floats]:
    """Accuracy of all items, (items,) each; and of what is not abstained from, and the share of that."""
    sure = (~abstains).astype(np.float64)
    columns = np.stack([np.ones(len(right)), right, sure, sure * right], axis=1)
    count, hits, given, sure_hits = resamples.sums(cluster, columns).T
    return {
        "accuracy": share(hits, count),
        "sure_accuracy": share(sure_hits, given),
        "sure_share": share(given, count),
    }
