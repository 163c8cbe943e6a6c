"""Calibration of labels: logits to probabilities that hold.

Learned on dialogues that the model has not learned from. Binary logits are scaled and shifted (Platt, 1999),
the others divided by a temperature (Guo et al., 2017). What the signals of a turn tell of a defect, where the
model has learned it without them, is added (`weak_defects`).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import softmax

from labeling.labels.reader import TurnLogits
from labeling.labels.space import BINARY, N_RATINGS, RATINGS, LabelSpace
from labeling.labels.targets import UNKNOWN, TurnTarget, slot_tags
from labeling.labels.turn_label import LabelName
from labeling.labels.weak_defects import DefectEvidence, defect_views, estimate_evidence
from streams.turn import TurnEvent

if TYPE_CHECKING:
    from labeling.labels.training import LabelledDialogue

LEAST_KNOWN = 30
"""Labels that were held back from which a scale is learned; with fewer, logits are taken as they are."""

_DISSATISFIED = slice(0, 2)  # classes of the ratings 1 and 2


class Scale(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of a logit."""

    factor: float = 1.0
    shift: float = 0.0


class Calibration(Struct, frozen=True, forbid_unknown_fields=True):
    """What was learned on the dialogues that were held back."""

    scales: dict[LabelName, Scale] = {}
    """Of binary logits; of those of named classes and slots, the factor alone. Of ratings: of the log odds of
    a rating of 1 or 2."""

    decisions: dict[LabelName, float] = {}
    """Of goal starts and ratings: probability (of a start, of dissatisfaction) from which it is said. Both
    are rare within a dialogue; the expected F1 is highest there."""

    thresholds: dict[LabelName, float] = {}
    """Least confidence for the wanted precision."""

    defects: DefectEvidence | None = None
    """What signals tell, where the model has not seen them."""


class _Held(Struct, frozen=True):
    """One turn that was held back."""

    turn: TurnEvent
    logits: TurnLogits
    target: TurnTarget


def calibrate(
    space: LabelSpace, held_back: Sequence["LabelledDialogue"], logits_of: Sequence[Sequence[TurnLogits]]
) -> Calibration:
    """Learns scales, decisions and what signals tell; no thresholds.

    Args:
        space: of the labels.
        held_back: dialogues and what is known of them.
        logits_of: what the model says of each turn of each.
    """
    dialogues = [
        [
            _Held(turn, logits, target)
            for turn, logits, target in zip(dialogue.turns, of_dialogue, dialogue.targets, strict=True)
        ]
        for dialogue, of_dialogue in zip(held_back, logits_of, strict=True)
    ]
    turns = [held for dialogue in dialogues for held in dialogue]
    scales: dict[LabelName, Scale] = {}
    decisions: dict[LabelName, float] = {}
    ratings: dict[LabelName, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
    for task in space.tasks:
        if task == "slots":
            scales[task] = Scale(_temperature(*_token_logits(turns, space)))
        elif task in BINARY:
            known = [held for held in turns if task in held.target.values]
            logits = np.array([float(held.logits.values[task][0]) for held in known])
            scales[task] = _platt(logits, np.array([held.target.values[task][0] for held in known]))
            if task == "goal_start":
                decisions[task] = _best_decision(_scaled(logits, scales[task]))
        elif task in RATINGS:
            known = [held for held in turns if task in held.target.values]
            logits = np.array([dissatisfaction_logit(held.logits.values[task]) for held in known])
            shares = np.array([sum(held.target.values[task][_DISSATISFIED]) for held in known])
            ratings[task] = logits, shares
        else:
            known = [held for held in turns if held.target.classes.get(task, UNKNOWN) != UNKNOWN]
            scales[task] = Scale(
                _temperature(
                    [held.logits.values[task] for held in known],
                    [held.target.classes[task] for held in known],
                )
            )
    for task, scale in _of_most_raters(ratings).items():
        scales[task] = scale
        decisions[task] = _best_decision(_scaled(ratings[task][0], scale))
    evidence = _evidence(dialogues, scales) if "defect" in space.from_log else None
    return Calibration(scales, decisions, {}, evidence)


def dissatisfaction_logit(logits: NDArray[np.float32]) -> float:
    """Log odds that a rater gives 1 or 2; `logits` is (ratings,)."""
    wide = logits.astype(np.float64)
    return float(np.logaddexp.reduce(wide[_DISSATISFIED]) - np.logaddexp.reduce(wide[2:N_RATINGS]))


def most_dissatisfied(distribution: Sequence[float]) -> bool:
    """Whether more than half of the raters gave 1 or 2."""
    return sum(distribution[_DISSATISFIED]) > 0.5


def probability(logit: float, scale: Scale) -> float:
    """Of a scaled logit, 0..1."""
    return float(_scaled(np.array(logit), scale))


def class_probabilities(logits: NDArray[np.float32], scale: Scale) -> NDArray[np.float64]:
    """Over the last axis."""
    shares: NDArray[np.float64] = softmax(logits.astype(np.float64) * scale.factor, axis=-1)
    return shares


def _evidence(dialogues: Sequence[Sequence[_Held]], scales: dict[LabelName, Scale]) -> DefectEvidence | None:
    views, visible, predicted, known = [], [], [], []
    for dialogue in dialogues:
        continues = continuations([held.logits for held in dialogue], scales.get("goal_start"))
        for position, held in enumerate(dialogue):
            if held.target.shown is None:
                continue
            is_last = position + 1 == len(dialogue)
            views.append(defect_views(held.turn, continues[position], is_last=is_last))
            visible.append(held.target.shown)
            predicted.append(log_odds(probability(float(held.logits.values["defect"][0]), scales["defect"])))
            said = held.target.values["defect"][0] if "defect" in held.target.said else math.nan
            known.append(said)
    if not views:
        return None
    return estimate_evidence(views, np.array(visible), np.array(predicted), np.array(known))[0]


def continuations(logits: Sequence[TurnLogits], scale: Scale | None) -> list[float | None]:
    """Of each turn, the probability that the next one goes on with its goal; None: not known."""
    if scale is None:
        return [None] * len(logits)
    starts = [probability(float(one.values["goal_start"][0]), scale) for one in logits[1:]]
    return [*(1 - start for start in starts), None]


def _token_logits(turns: Sequence[_Held], space: LabelSpace) -> tuple[list[NDArray[np.float32]], list[int]]:
    logits: list[NDArray[np.float32]] = []
    tags: list[int] = []
    for held in turns:
        if held.target.slots is not None and held.logits.tags is not None:
            logits += list(held.logits.tags)
            tags += slot_tags(held.logits.offsets, held.target.slots, space.slots).tolist()
    return logits, tags


def _of_most_raters(
    ratings: dict[LabelName, tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> dict[LabelName, Scale]:
    """Scales from the log odds that a rater gives 1 or 2 to those that most raters do.

    In two steps: to the share of raters, of which every item tells something; then from share to majority,
    which few items have, for turns and dialogues together, since it depends on how raters differ.

    Args:
        ratings: by task logits, and shares of the raters who gave 1 or 2: (items,) each.
    """
    of_share = {task: _platt(logits, shares) for task, (logits, shares) in ratings.items()}
    if not of_share:
        return {}
    scaled = [of_share[task].factor * logits + of_share[task].shift for task, (logits, _) in ratings.items()]
    most = np.concatenate([shares > 0.5 for _, shares in ratings.values()])
    of_most = _platt(np.concatenate(scaled), most.astype(np.float64))
    return {
        task: Scale(of_most.factor * scale.factor, of_most.factor * scale.shift + of_most.shift)
        for task, scale in of_share.items()
    }


def _platt(logits: NDArray[np.float64], targets: NDArray[np.float64]) -> Scale:
    if len(logits) < LEAST_KNOWN or targets.max() - targets.min() < 0.5:
        return Scale()

    def loss(values: NDArray[np.float64]) -> float:
        scaled = values[0] * logits + values[1]
        entropy = np.logaddexp(0, scaled) - targets * scaled
        moved = (values[0] - 1) ** 2 + values[1] ** 2 / 10  # few labels leave logits near as they are
        return float(entropy.sum() + moved)

    found = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.05, 20.0), (-10.0, 10.0)])
    return Scale(float(found.x[0]), float(found.x[1]))


def _temperature(logits: Sequence[NDArray[np.float32]], classes: Sequence[int]) -> float:
    """The factor under which logits fit held-back classes best."""
    if len(classes) < LEAST_KNOWN:
        return 1.0
    stacked = np.stack(logits).astype(np.float64)
    right = stacked[np.arange(len(classes)), np.array(classes)]

    def loss(log_factor: float) -> float:
        factor = math.exp(log_factor)
        losses = np.logaddexp.reduce(stacked * factor, axis=-1) - right * factor  # (labels,)
        return float(losses.mean())

    found = minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded")
    return math.exp(float(found.x))


def _best_decision(probabilities: NDArray[np.float64]) -> float:
    """The threshold with the highest expected F1, if the probabilities are right."""
    ordered = np.sort(probabilities)[::-1]
    hits = np.cumsum(ordered)
    scores = 2 * hits / (np.arange(1, len(ordered) + 1) + ordered.sum())
    return float(ordered[int(scores.argmax())]) if len(ordered) else 0.5


def _scaled(logits: NDArray[np.float64], scale: Scale) -> NDArray[np.float64]:
    odds = np.clip(scale.factor * logits + scale.shift, -700, 700)
    probabilities: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return probabilities


def log_odds(share: float) -> float:
    """Of a probability; finite."""
    kept = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(kept) - math.log1p(-kept)
