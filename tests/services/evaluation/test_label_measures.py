"""Measures of labels, worked out by hand, and beside independent implementations."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from turns import turn_event

from services.evaluation.common.confidence_interval import user_weights
from services.evaluation.common.resamples import ClusterResamples
from services.evaluation.common.score_thresholds import precision_recall_curve
from services.evaluation.labels.binary import (
    BinaryAnswers,
    BinaryItems,
    binary_measures,
    coverage_measures,
    reliability,
)
from services.evaluation.labels.classes import ClassAnswers, ClassItems, class_measures
from services.evaluation.labels.goals import GoalItems, goal_measures
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.log import LabelLog
from services.evaluation.labels.satisfaction import RatedItems
from streams.turn import EventId

Floats = NDArray[np.float64]


def log_of(*stretches: str, gap_s: float = 10) -> LabelLog:
    """One user for each stretch, a letter for the goal of each turn; '?': nobody says."""
    turns = [
        turn_event(event_id=f"{user}-{number}", user_id=f"u{user}", ts_ms=int(number * gap_s * 1000))
        for user, goals in enumerate(stretches)
        for number in range(len(goals))
    ]
    gold = [
        GoldLabel(event_id=EventId(f"{user}-{number}"), goal_id=goal)
        for user, goals in enumerate(stretches)
        for number, goal in enumerate(goals)
        if goal != "?"
    ]
    return LabelLog.join(turns, gold)


def resamples_of(users: int, resamples: int = 1, seed: int = 0) -> ClusterResamples:
    return ClusterResamples(users, resamples, seed)


def value(measures: dict[str, Floats], name: str) -> float:
    return float(measures[name][0])


def said(bits: str) -> NDArray[np.bool_]:
    return np.array([bit == "1" for bit in bits], dtype=np.bool_)


def test_boundaries_and_window_diff_by_hand() -> None:
    items = GoalItems.of(log_of("AABBCC"))
    assert items.boundary.tolist() == [False, True, False, True, False]
    assert items.window == 2
    measures = goal_measures(items, said("00110"), resamples_of(1))
    assert value(measures, "precision") == value(measures, "recall") == value(measures, "f1") == 0.5
    # Boundaries in windows of two pairs: gold 1 1 1 1, said 0 1 2 1.
    assert value(measures, "window_diff") == 0.5


def test_a_perfect_segmentation_and_none_at_all() -> None:
    items = GoalItems.of(log_of("AAAABBBB", "CD"))
    perfect = goal_measures(items, items.boundary, resamples_of(2))
    assert [value(perfect, name) for name in perfect] == [1, 1, 1, 0]
    silent = goal_measures(items, np.zeros(len(items.later), np.bool_), resamples_of(2))
    assert np.isnan(value(silent, "precision"))
    assert value(silent, "recall") == 0
    # Four goals in ten turns: the window is 2 turns. In the first stretch the windows over pairs 3 and 4, or
    # 4 and 5, have the boundary (2 of 6); the second stretch is one window.
    assert items.window == 2
    assert value(silent, "window_diff") == pytest.approx(3 / 7)


@pytest.mark.parametrize(("goals", "window"), [("A" * 8 + "B" * 8, 4), ("ABCDEF", 2), ("A" * 10 + "BB", 3)])
def test_the_window_is_half_of_a_goal(goals: str, window: int) -> None:
    assert GoalItems.of(log_of(goals)).window == window


def test_only_neighbours_whose_goals_are_known_are_pairs() -> None:
    items = GoalItems.of(log_of("AB?BB", "C", "?"))
    assert items.boundary.tolist() == [True, False]
    assert items.later.tolist() == [1, 4]
    assert items.ends.tolist() == [1, 2]  # each on its own side of the gap


def test_a_log_without_goals_has_no_pairs() -> None:
    items = GoalItems.of(log_of("???"))
    assert np.isnan(goal_measures(items, said(""), resamples_of(1))["window_diff"]).all()


def naive_window_diff(gold: Sequence[str], other: Sequence[str], window: int) -> tuple[int, int]:
    """Wrong windows and windows of one stretch, counting boundaries between turns i and i + window."""
    window = min(window, len(gold) - 1)

    def boundaries(goals: Sequence[str]) -> int:
        return sum(one != two for one, two in pairwise(goals))

    spans = range(len(gold) - window) if window else range(0)
    wrong = sum(boundaries(gold[i : i + window + 1]) != boundaries(other[i : i + window + 1]) for i in spans)
    return wrong, len(spans)


def test_window_diff_agrees_with_counting() -> None:
    generator = np.random.default_rng(3)
    gold = ["".join(sorted(generator.choice(list("ABCDE"), length))) for length in (1, 2, 5, 9, 30, 17)]
    other = ["".join(sorted(generator.choice(list("ABCDE"), len(goals)))) for goals in gold]
    items = GoalItems.of(log_of(*gold))
    boundary = np.array(
        [one != two for goals in other for one, two in pairwise(goals)],
        dtype=np.bool_,
    )
    counts = [naive_window_diff(one, two, items.window) for one, two in zip(gold, other, strict=True)]
    wrong, windows = np.sum(counts, axis=0)
    assert windows > 40
    measured = value(goal_measures(items, boundary, resamples_of(6)), "window_diff")
    assert measured == pytest.approx(wrong / windows)


def binary(truth: Sequence[float], user: Sequence[int] | None = None) -> BinaryItems:
    users = range(len(truth)) if user is None else user
    return BinaryItems(np.array(truth, dtype=np.float64), np.array(users, dtype=np.int64))


def answers(score: Sequence[float], threshold: float = 0.5) -> BinaryAnswers:
    scores = np.array(score, dtype=np.float64)
    return BinaryAnswers(scores, scores >= threshold)


def test_decisions_ranking_and_calibration_by_hand() -> None:
    items = binary([1, 0, 1, 0])
    measures = binary_measures(items, answers([0.9, 0.8, 0.7, 0.2]), resamples_of(4))
    assert value(measures, "accuracy") == 0.75
    assert value(measures, "precision") == pytest.approx(2 / 3)
    assert value(measures, "recall") == 1
    assert value(measures, "f1") == pytest.approx(0.8)
    assert value(measures, "average_precision") == pytest.approx((1 + 2 / 3) / 2)
    assert value(measures, "roc_auc") == 0.75  # of four pairs, one is the wrong way round
    assert value(measures, "calibration_error") == pytest.approx((0.1 + 0.8 + 0.3 + 0.2) / 4)


def test_one_truth_alone_leaves_the_areas_undefined() -> None:
    measures = binary_measures(binary([0, 0]), answers([0.1, 0.2]), resamples_of(2))
    assert np.isnan(measures["average_precision"]).all()
    assert np.isnan(measures["roc_auc"]).all()
    assert value(measures, "accuracy") == 1
    assert precision_recall_curve(np.array([0.1, 0.2]), np.zeros(2)) == ()


def test_no_items_have_no_measures() -> None:
    measures = binary_measures(binary([]), answers([]), resamples_of(0))
    assert all(np.isnan(draws).all() for draws in measures.values())


@pytest.fixture
def noisy() -> tuple[BinaryItems, BinaryAnswers]:
    """Ties among the scores, several items for each of 12 users, and truth that is a share of votes."""
    generator = np.random.default_rng(5)
    truth = generator.choice([0, 0.25, 1], 200)
    score = np.round(np.clip(0.6 * truth + 0.5 * generator.random(200), 0, 1), 1)
    return binary(truth.tolist(), generator.integers(0, 12, 200).tolist()), answers(score.tolist())


def test_the_log_and_each_resample_agree_with_scikit_learn(noisy: tuple[BinaryItems, BinaryAnswers]) -> None:
    items, given = noisy
    measures = binary_measures(items, given, resamples_of(12, 6, seed=4))
    weights = np.concatenate([np.ones((1, 12)), user_weights(12, 6, seed=4)])
    both = np.repeat([True, False], len(items.truth))
    score, decided = np.tile(given.score, 2), np.tile(given.decided, 2)
    for draw, of_user in enumerate(weights):
        weight = np.concatenate([items.truth, 1 - items.truth]) * np.tile(of_user[items.cluster], 2)
        average = average_precision_score(both, score, sample_weight=weight)
        assert measures["average_precision"][draw] == pytest.approx(average)
        assert measures["roc_auc"][draw] == pytest.approx(roc_auc_score(both, score, sample_weight=weight))
        assert measures["f1"][draw] == pytest.approx(f1_score(both, decided, sample_weight=weight))


def test_the_curve_ends_with_everything_said(noisy: tuple[BinaryItems, BinaryAnswers]) -> None:
    items, given = noisy
    curve = precision_recall_curve(given.score, items.truth)
    assert (curve[-1].recall, curve[-1].precision) == pytest.approx((1, items.truth.mean()))
    assert [point.threshold for point in curve] == sorted(set(given.score.tolist()), reverse=True)


def test_reliability_by_hand() -> None:
    one, two = reliability(binary([1, 0, 1]), np.array([1.0, 0.95, 0.05]))
    assert (one.items, one.mean_score, one.share_true) == (1, 0.05, 1)
    assert (two.items, two.mean_score, two.share_true) == (2, 0.975, 0.5)


@pytest.mark.parametrize(
    ("precision", "accuracy", "expected"),
    [
        (0.6, 0.7, (1, 0.75, 1)),  # the first three, 2 of 3 right; all four, 3 of 4 right
        (0.7, 0.8, (0.5, 0.25, 0.25)),  # the first alone
        (1.1, 1.1, (0, 0, 0)),  # nobody can be so right
    ],
)
def test_coverage_by_hand(precision: float, accuracy: float, expected: tuple[float, ...]) -> None:
    human = {"precision": np.full(2, precision), "accuracy": np.full(2, accuracy)}
    found = coverage_measures(binary([1, 0, 1, 0]), answers([0.9, 0.8, 0.7, 0.2]), human, resamples_of(4))
    assert tuple(float(draws[0]) for draws in found.values()) == expected


def rated(*ratings: tuple[int, ...]) -> RatedItems:
    turns = [turn_event(event_id=f"e{n}", user_id=f"u{n}") for n in range(len(ratings))]
    gold = [GoldLabel(event_id=EventId(f"e{n}"), ratings=given) for n, given in enumerate(ratings)]
    return RatedItems.of(LabelLog.join(turns, gold), "turn")


def test_one_rater_against_the_others_by_hand() -> None:
    # Of (1, 1, 3), the first two are each held against a tie, and are wrong; so is the third, against both.
    items = rated((1, 1, 3), (2, 2, 2), (3, 4, 5))
    measures = items.rater_measures(resamples_of(3))
    assert measures is not None
    assert value(measures, "accuracy") == pytest.approx(2 / 3)
    assert value(measures, "precision") == pytest.approx(1 / (1 + 2 / 3))
    assert value(measures, "recall") == pytest.approx(1 / (1 + 1 / 3))
    assert items.items.truth.tolist() == pytest.approx([1 / 3, 1, 0])
    assert items.of_all.truth.tolist() == [1, 1, 0]


def test_raters_who_agree_are_always_right() -> None:
    measures = rated((1, 2, 1), (5, 5), (4, 3, 4, 5)).rater_measures(resamples_of(3))
    assert measures is not None
    assert [value(measures, name) for name in measures] == [1, 1, 1, 1]


def test_one_rater_alone_has_no_others() -> None:
    alone = rated((1,), (5,))
    assert alone.rater_measures(resamples_of(2)) is None
    assert alone.items.truth.tolist() == [1, 0]
    mixed = rated((1,), (5, 5), (2, 1))
    assert (mixed.turn.tolist(), mixed.left_out) == ([1, 2], 1)


def classes(truth: Sequence[str], users: int) -> ClassItems:
    number = np.arange(len(truth))
    return ClassItems(
        turn=number, truth=[(name,) for name in truth], cluster=number % users, label="intent", seen=None
    )


def test_accuracy_and_abstaining_by_hand() -> None:
    items = classes(["a", "a", "b", "c"], 4)
    given = ClassAnswers([("a",), ("b",), ("b",), None], np.array([False, True, False, True]))
    measures = class_measures(items, given, resamples_of(4))
    assert value(measures, "accuracy") == 0.5
    assert value(measures, "sure_accuracy") == 1
    assert value(measures, "sure_share") == 0.5
    # a: 2 * 1 / (2 + 1); b: 2 * 1 / (1 + 2); c: 0
    assert value(measures, "macro_f1") == pytest.approx((2 / 3 + 2 / 3) / 3)


def test_macro_f1_of_each_resample_agrees_with_scikit_learn() -> None:
    generator = np.random.default_rng(2)
    truth = generator.choice(list("aaabbc"), 60).tolist()
    named = [one if generator.random() < 0.6 else str(generator.choice(list("abcx"))) for one in truth]
    given = ClassAnswers([(one,) for one in named], np.zeros(60, np.bool_))
    measures = class_measures(classes(truth, 5), given, resamples_of(5, 8, seed=1))
    weights = np.concatenate([np.ones((1, 5)), user_weights(5, 8, seed=1)])
    for draw, of_user in enumerate(weights):
        weight = of_user[np.arange(60) % 5]
        there = sorted({one for one, much in zip(truth, weight, strict=True) if much})
        expected = f1_score(
            truth, named, sample_weight=weight, labels=there, average="macro", zero_division=0
        )
        assert measures["macro_f1"][draw] == pytest.approx(expected)
