"""Label thresholds: how sure a label must be for a wanted precision."""

from collections.abc import Iterator, Sequence

import numpy as np

from labeling.labels.calibration import most_dissatisfied
from labeling.labels.space import BINARY, NAMED, RATINGS, LabelSpace
from labeling.labels.targets import UNKNOWN, TurnTarget
from labeling.labels.turn_label import LabelName, TurnLabel

LEAST_GIVEN = 20
"""Labels that were held back above a threshold, for its precision to be known."""

NEVER = 1.01
"""Threshold of labels that are never sure enough."""


def label_thresholds(
    labels: Sequence[Sequence[TurnLabel]],
    targets: Sequence[Sequence[TurnTarget]],
    space: LabelSpace,
    precision: float,
) -> dict[LabelName, float]:
    """The least confidence of each label for a precision, on dialogues that were held back.

    Args:
        labels: of each turn of each dialogue.
        targets: what is known of them; where the log alone has shown it, precision is by what it shows.
        space: of the labels.
        precision: that is wanted, 0..1.
    """
    found = {}
    for task in space.tasks:
        judged = [
            (label.confidence[task], right)
            for of_dialogue, known in zip(labels, targets, strict=True)
            for label, target in zip(of_dialogue, known, strict=True)
            for right in _right(task, label, target, space)
        ]
        if judged:
            confidences, right = zip(*judged, strict=True)
            found[task] = threshold(confidences, right, precision)
    return found


def threshold(confidences: Sequence[float], right: Sequence[float], precision: float) -> float:
    """The least confidence from which labels have a precision; `NEVER` where none has.

    Args:
        confidences: of labels.
        right: how probably each is right, 0..1.
        precision: that is wanted.
    """
    order = np.argsort(-np.array(confidences), kind="stable")
    ordered = np.array(confidences)[order]
    shares = np.cumsum(np.array(right)[order]) / np.arange(1, len(order) + 1)
    if len(order) >= LEAST_GIVEN and shares[-1] >= precision:
        return 0.0  # all of them
    for last in range(len(order) - 2, LEAST_GIVEN - 2, -1):
        if shares[last] >= precision and ordered[last + 1] < ordered[last]:
            return float(ordered[last])
    return NEVER


def _right(task: LabelName, label: TurnLabel, target: TurnTarget, space: LabelSpace) -> Iterator[float]:
    """How probably a label is right; nothing where that is not known, or where there is no label."""
    if task not in label.confidence:
        return
    if task in BINARY and task in target.values:
        positive = label.goal_start if task == "goal_start" else (getattr(label, task) or 0.0) >= 0.5
        yield target.values[task][0] if positive else 1 - target.values[task][0]
    elif task in RATINGS and task in target.values:
        yield float((getattr(label, task) < 3) == most_dissatisfied(target.values[task]))
    elif task in NAMED and task in target.classes:
        number = target.classes[task]
        known = space.domains if task == "domain" else space.intents
        yield float(number != UNKNOWN and known[number] == getattr(label, task))
    elif task == "slots" and target.slots is not None:
        yield float(set(label.slots or ()) == set(target.slots))
