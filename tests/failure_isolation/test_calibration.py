"""Calibration on logits whose probabilities are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from failure_isolation.calibration import FailureCalibration, best_decisions, calibrate
from failure_isolation.rule import FAILURE_POINTS

N_CLASSES = len(FAILURE_POINTS)
WEIGHTS = (1.0, 0.5, 0.8, 0.9, 1.0, 0.2)


def _world(n: int, seed: int = 1) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities (n, classes), and classes drawn from them."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet([0.1, 0.3, 0.1, 0.1, 0.1, 1.0], size=n)
    classes = np.array([generator.choice(N_CLASSES, p=row) for row in probabilities], dtype=np.int64)
    return probabilities, classes


def _macro_f1(chosen: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
    scores = []
    for one in range(N_CLASSES):
        said, true = chosen == one, classes == one
        scores.append(2 * (said & true).sum() / max(said.sum() + true.sum(), 1))
    return float(np.mean(scores))


def test_scaled_and_weighted_logits_become_the_probabilities_they_were_made_of() -> None:
    probabilities, classes = _world(20_000)
    logits = (2.5 * (np.log(np.maximum(probabilities, 1e-9)) + np.log(WEIGHTS))).astype(np.float32)[:, None]
    calibration = calibrate(logits, classes, WEIGHTS, coverage=0.9)
    assert np.abs(calibration.probabilities(logits) - probabilities).mean() < 0.01


def test_a_reader_that_says_nothing_that_holds_counts_for_nothing() -> None:
    """As a network that has learned few turns by heart: sure, and wrong."""
    probabilities, classes = _world(4_000)
    sure = 8 * np.eye(N_CLASSES)[np.random.default_rng(4).integers(N_CLASSES, size=4_000)]
    logits = np.stack([sure, np.log(np.maximum(probabilities, 1e-9))], axis=1).astype(np.float32)
    calibration = calibrate(logits[:2_000], classes[:2_000], (1.0,) * N_CLASSES, coverage=0.9)
    assert calibration.factors[0] < 0.05
    assert calibration.factors[1] == pytest.approx(1, abs=0.1)
    assert np.abs(calibration.probabilities(logits[2_000:]) - probabilities[2_000:]).mean() < 0.02


def test_a_few_turns_held_back_do_not_say_how_frequent_classes_are() -> None:
    """Those of some users, or of some sentences, are not those of a log."""
    probabilities, classes = _world(20_000)
    logits = (np.log(np.maximum(probabilities, 1e-9)) + np.log(WEIGHTS)).astype(np.float32)[:, None]
    twice = np.flatnonzero(classes == FAILURE_POINTS.index("asr"))[:40]
    some = np.concatenate([np.arange(100), twice])
    calibration = calibrate(logits[some], classes[some], WEIGHTS, coverage=0.9)
    found = calibration.probabilities(logits)
    asr = FAILURE_POINTS.index("asr")
    assert found[:, asr].mean() < 1.3 * probabilities[:, asr].mean()


def test_decisions_have_a_higher_macro_f1_than_the_likeliest_class() -> None:
    probabilities, _ = _world(5_000, seed=2)
    decisions = best_decisions(probabilities)
    unseen, classes = _world(5_000, seed=3)
    likeliest = _macro_f1(unseen.argmax(axis=-1), classes)
    assert _macro_f1((unseen * decisions).argmax(axis=-1), classes) > likeliest + 0.01


def test_sure_probabilities_are_decided_as_they_are() -> None:
    probabilities = np.eye(N_CLASSES)[np.arange(60) % N_CLASSES]
    assert best_decisions(probabilities).tolist() == [1.0] * N_CLASSES


@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_the_wanted_share_is_not_abstained_from(coverage: float) -> None:
    probabilities, classes = _world(4_000)
    logits = np.log(np.maximum(probabilities, 1e-9)).astype(np.float32)[:, None]
    calibration = calibrate(logits, classes, (1.0,) * N_CLASSES, coverage)
    found = calibration.probabilities(logits)
    confidences = found[np.arange(len(found)), calibration.chosen(found)]
    assert (confidences >= calibration.least_confidence).mean() == pytest.approx(coverage, abs=0.01)


def test_with_few_turns_held_back_only_the_class_weights_are_undone() -> None:
    probabilities, classes = _world(10)
    logits = (np.log(np.maximum(probabilities, 1e-9)) + np.log(WEIGHTS)).astype(np.float32)[:, None]
    calibration = calibrate(logits, classes, WEIGHTS, coverage=0.9)
    assert calibration.factors == (1,)
    assert calibration.probabilities(logits) == pytest.approx(probabilities, abs=1e-4)


def test_a_class_without_weight_is_never_said() -> None:
    probabilities, classes = _world(500)
    known = (0.0, 1.0, 1.0, 0.0, 1.0, 1.0)
    calibration = calibrate(
        np.log(probabilities + 1e-9).astype(np.float32)[:, None], classes, known, coverage=0.9
    )
    found = calibration.probabilities(np.zeros((3, 1, N_CLASSES), dtype=np.float32))
    assert found[:, [0, 3]].sum() == 0
    assert found.sum(axis=-1) == pytest.approx(1)
    everything = calibration.probabilities(np.full((1, 1, N_CLASSES), 50, dtype=np.float32))
    assert FAILURE_POINTS[int(calibration.chosen(everything)[0])] not in ("false_wake", "entity_resolution")


def test_nothing_held_back_gives_a_calibration_all_the_same() -> None:
    empty = np.zeros((0, N_CLASSES), dtype=np.float32)
    calibration = calibrate(empty, np.zeros(0, dtype=np.int64), WEIGHTS, coverage=0.9)
    assert isinstance(calibration, FailureCalibration)
    assert calibration.least_confidence == 0
