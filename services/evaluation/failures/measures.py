"""Measures of failure points: one of six classes, in the order of the stages."""

from typing import Final

import numpy as np
from msgspec import Struct

from failure_isolation.rule import FAILURE_POINTS
from services.evaluation.common.arrays import Floats, Ints
from services.evaluation.common.class_measures import ClassAgreement, abstention_measures, class_agreement
from services.evaluation.common.resamples import ClusterResamples, Measures, share
from services.evaluation.common.score_thresholds import ReliabilityBin, drawn_of, thresholds_of
from services.evaluation.failures.log import FailureAnswers, FailureItems
from services.evaluation.labels.binary import BinaryItems, calibration_error, reliability

COVERAGE: Final = 0.9
"""Share of the turns, the surest first, whose accuracy is measured: people can look at the other tenth."""

_CLASSES: Final = len(FAILURE_POINTS)


class CoveragePoint(Struct, frozen=True):
    """How right a system is on the turns of which it is surest."""

    coverage: float  # share of the turns, 0..1
    accuracy: float


def f1_name(failure_point: str) -> str:
    """The name of the measure that is the F1 of one class."""
    return f"f1 {failure_point}"


def failure_measures(items: FailureItems, answers: FailureAnswers, resamples: ClusterResamples) -> Measures:
    """Accuracy, macro F1 over the classes of the gold, the F1 of each of these, and how sure answers are.

    `error_distance`: stages between what is said and what is true, where that is wrong; `correct`
    stands after the last stage. `covered_accuracy`: accuracy on the surest `COVERAGE` of the items, and on
    those that are no less sure. `sure_accuracy`, `sure_share`: of what is not abstained from.
    """
    right = (answers.named == items.truth).astype(np.float64)
    away = np.abs(answers.named - items.truth).astype(np.float64)
    wrong, distance = resamples.sums(items.cluster, np.stack([1 - right, away], axis=1)).T
    found = failure_agreement(items, answers, resamples)
    measures: dict[str, Floats] = {
        **abstention_measures(right, answers.abstains, items.cluster, resamples),
        "macro_f1": found.macro_f1,
        "covered_accuracy": _covered_accuracy(items, answers, right, resamples),
        "calibration_error": calibration_error(
            BinaryItems(right, items.cluster), answers.confidence, resamples
        ),
        "error_distance": share(distance, wrong),
    }
    for number in np.flatnonzero(items.support).tolist():
        measures[f1_name(FAILURE_POINTS[number])] = found.measures["f1"][:, number]
    return measures


def failure_agreement(
    items: FailureItems, answers: FailureAnswers, resamples: ClusterResamples
) -> ClassAgreement:
    """Precision, recall and F1 of each class, and macro F1."""
    return class_agreement(items.truth, answers.named, _CLASSES, items.cluster, resamples)


def confusion(items: FailureItems, answers: FailureAnswers) -> Ints:
    """(classes, classes) items by what is true, the rows, and by what is said, in the order of the stages."""
    cells = np.bincount(items.truth * _CLASSES + answers.named, minlength=_CLASSES * _CLASSES)
    return cells.reshape(_CLASSES, _CLASSES)


def failure_reliability(items: FailureItems, answers: FailureAnswers) -> tuple[ReliabilityBin, ...]:
    """How often items of a confidence are right, in tenths."""
    right = (answers.named == items.truth).astype(np.float64)
    return reliability(BinaryItems(right, items.cluster), answers.confidence)


def coverage_curve(items: FailureItems, answers: FailureAnswers) -> tuple[CoveragePoint, ...]:
    """Accuracy as more is answered, the surest first; none where there are no items."""
    if not len(items.truth):
        return ()
    order, ends, _ = thresholds_of(answers.confidence)
    hits = (answers.named == items.truth)[order].cumsum()[ends]
    return tuple(
        CoveragePoint(float((ends[k] + 1) / len(order)), float(hits[k] / (ends[k] + 1)))
        for k in drawn_of(len(ends))
    )


def _covered_accuracy(
    items: FailureItems, answers: FailureAnswers, right: Floats, resamples: ClusterResamples
) -> Floats:
    def at_coverage(said: Floats, hits: Floats, part: slice) -> Floats:
        reached = (said >= COVERAGE * said[:, -1:] - 1e-9).argmax(axis=1)
        rows = np.arange(len(said))
        return share(hits[rows, reached], said[rows, reached])[:, None]

    return resamples.at_thresholds(answers.confidence, right, items.cluster, at_coverage, 1)[:, 0]
