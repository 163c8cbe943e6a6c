"""The linear part of failure models on columns whose classes are known."""

import numpy as np
import pytest
import torch

from failure_isolation.linear_failures import LinearFailures
from failure_isolation.rule import FAILURE_POINTS

WEIGHTS = np.ones(len(FAILURE_POINTS))


@pytest.mark.parametrize("known", [(1, 5), (0, 2, 5)])
def test_classes_are_told_by_their_columns(known: tuple[int, ...]) -> None:
    generator = np.random.default_rng(1)
    classes = generator.choice(known, size=400)
    columns = generator.normal(size=(400, 8)).astype(np.float32)
    columns[np.arange(400), classes] += 3
    linear = LinearFailures(8)
    linear.fit(columns, classes, WEIGHTS)
    logits = linear(torch.from_numpy(columns))
    said = np.array(known)[logits[:, list(known)].argmax(dim=-1).numpy()]
    assert (said == classes).mean() > 0.9
    others = [number for number in range(len(FAILURE_POINTS)) if number not in known]
    assert logits[:, others].abs().max() == 0


def test_two_classes_have_the_probabilities_of_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(2)
    columns = generator.normal(size=(300, 4)).astype(np.float32)
    classes = np.where(columns[:, 0] + generator.normal(size=300) > 0.5, 5, 1)
    linear = LinearFailures(4)
    linear.fit(columns, classes, WEIGHTS)
    shares = linear(torch.from_numpy(columns))[:, [1, 5]].softmax(dim=-1).numpy()
    true = LogisticRegression(C=0.03, tol=1e-6).fit(columns, classes).predict_proba(columns)
    assert shares == pytest.approx(true, abs=0.01)


def test_heavier_classes_are_said_more_often() -> None:
    generator = np.random.default_rng(3)
    columns = generator.normal(size=(300, 4)).astype(np.float32)
    classes = generator.choice([1, 5], size=300, p=[0.2, 0.8])
    shares = []
    for weight in (1.0, 4.0):
        weights = WEIGHTS.copy()
        weights[1] = weight
        linear = LinearFailures(4)
        linear.fit(columns, classes, weights)
        shares.append(linear(torch.from_numpy(columns))[:, [1, 5]].softmax(dim=-1)[:, 0].mean().item())
    assert shares[0] == pytest.approx(0.2, abs=0.05)
    assert shares[1] == pytest.approx(0.5, abs=0.05)


def test_turns_of_one_class_teach_nothing() -> None:
    linear = LinearFailures(4)
    columns = np.random.default_rng(4).normal(size=(60, 4)).astype(np.float32)
    linear.fit(columns, np.full(60, 5), WEIGHTS)
    assert linear(torch.from_numpy(columns)).abs().max() == 0
