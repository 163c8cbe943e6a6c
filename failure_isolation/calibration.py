"""Calibration of failure points: logits to probabilities that hold, decisions, abstention.

Learned on dialogues that the model has not learned from. The logits of each reader, the network and the
linear part, are divided by a temperature, then summed and shifted by class (a form of the vector scaling of
Guo et al., 2017): the shift takes back what the weights of the classes have done. Where one reader has
learned its turns by heart, the other one decides.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from failure_isolation.rule import FAILURE_POINTS

LEAST_KNOWN: Final = 30
"""Turns that were held back from which a scale is learned; with fewer, only the class weights are undone."""

_SHIFT_SPREAD: Final = 0.1  # how far shifts are expected to lie from undoing the class weights
_FACTORS: Final = np.exp(np.linspace(-2.5, 2.5, 51))
_ROUNDS: Final = 4


class FailureCalibration(Struct, frozen=True, forbid_unknown_fields=True):
    """What was learned on the dialogues that were held back."""

    factors: tuple[float, ...]  # by reader: of all its logits
    shifts: tuple[float, ...]  # by class
    known: tuple[bool, ...]  # by class: whether any turn that was learned from had it
    decisions: tuple[float, ...]  # by class: a probability counts so many times when the class is chosen
    least_confidence: float  # below it, the model abstains

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n, classes), from logits of (n, readers, classes). Of a class that nobody knows: 0."""
        scaled = np.einsum("nrc,r->nc", logits.astype(np.float64), self.factors) + np.array(self.shifts)
        scaled[:, ~np.array(self.known)] = -np.inf
        shares: NDArray[np.float64] = softmax(scaled, axis=-1)
        return shares

    def chosen(self, probabilities: NDArray[np.float64]) -> NDArray[np.int64]:
        """The class of each turn: (n,) from (n, classes)."""
        best: NDArray[np.int64] = (probabilities * np.array(self.decisions)).argmax(axis=-1)
        return best


def calibrate(
    logits: NDArray[np.float32],
    classes: NDArray[np.int64],
    class_weights: Sequence[float],
    coverage: float,
) -> FailureCalibration:
    """Learns scales, decisions and the threshold.

    Args:
        logits: (n, readers, classes) of turns that were held back.
        classes: (n,) their failure points.
        class_weights: with which the model was trained; 0: a class that it does not know.
        coverage: wanted share of turns without abstention, 0..1.
    """
    known = np.array(class_weights) > 0
    undone = np.where(known, -np.log(np.where(known, class_weights, 1.0)), 0.0)
    usable = known[classes]
    factors, shifts = _scale(logits[usable], classes[usable], known, undone)
    n_classes = len(FAILURE_POINTS)
    calibration = FailureCalibration(
        factors, tuple(shifts.tolist()), tuple(known.tolist()), (1.0,) * n_classes, 0.0
    )
    if not len(logits):
        return calibration
    probabilities = calibration.probabilities(logits)
    decisions = best_decisions(probabilities)
    chosen = (probabilities * decisions).argmax(axis=-1)
    confidences = probabilities[np.arange(len(chosen)), chosen]
    return FailureCalibration(
        factors,
        calibration.shifts,
        calibration.known,
        tuple(decisions.tolist()),
        float(np.quantile(confidences, 1 - coverage)),
    )


def best_decisions(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors of the classes with the highest expected macro F1, if the probabilities are right: (classes,).

    Class by class, in rounds; a class that is never expected keeps 1.
    """
    expected = probabilities.sum(axis=0)  # (classes,)
    counted = np.flatnonzero(expected > 0)
    decisions = np.ones(probabilities.shape[1])

    def score(factors: NDArray[np.float64]) -> float:
        chosen = (probabilities * factors).argmax(axis=-1)
        found = np.zeros(len(factors))
        np.add.at(found, chosen, probabilities[np.arange(len(chosen)), chosen])
        said = np.bincount(chosen, minlength=len(factors))
        return float((2 * found / np.maximum(said + expected, 1e-9))[counted].mean())

    for _ in range(_ROUNDS):
        before = decisions.copy()
        for column in counted:
            trials = np.tile(decisions, (len(_FACTORS), 1))
            trials[:, column] = _FACTORS
            scores = np.array([score(trial) for trial in trials])
            # Of equal ones, the nearest to 1.
            best = np.flatnonzero(scores >= scores.max() - 1e-12)
            decisions[column] = min(_FACTORS[best], key=lambda factor: abs(np.log(factor)))
        if np.array_equal(before, decisions):
            break
    return decisions


def _scale(
    logits: NDArray[np.float32],
    classes: NDArray[np.int64],
    known: NDArray[np.bool_],
    undone: NDArray[np.float64],
) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """Factors and shifts under which logits fit held-back classes best."""
    readers = logits.shape[1]
    if len(classes) < LEAST_KNOWN:
        return (1.0,) * readers, undone
    columns = np.flatnonzero(known)
    wide = logits[:, :, columns].astype(np.float64)  # (n, readers, known classes)
    right = np.searchsorted(columns, classes)
    rows = np.arange(len(right))

    def loss(values: NDArray[np.float64]) -> float:
        scaled = np.einsum("nrc,r->nc", wide, np.exp(values[:readers])) + values[readers:]
        losses = np.logaddexp.reduce(scaled, axis=-1) - scaled[rows, right]
        away = ((values[readers:] - undone[columns]) / _SHIFT_SPREAD) ** 2
        return float(losses.sum() + (values[:readers] ** 2).sum() / 2 + away.sum() / 2)

    found = minimize(loss, np.concatenate([np.zeros(readers), undone[columns]]), method="L-BFGS-B")
    shifts = undone.copy()
    shifts[columns] = found.x[readers:]
    return tuple(np.exp(found.x[:readers]).tolist()), shifts
