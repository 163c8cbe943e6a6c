"""How sure a label must be: the precision that was wanted is that of the labels that are left."""

from typing import Any

import numpy as np
import pytest

from labeling.labels.space import LabelSpace
from labeling.labels.targets import UNKNOWN, TurnTarget
from labeling.labels.thresholds import LEAST_GIVEN, NEVER, label_thresholds, threshold
from labeling.labels.turn_label import LabelName, SlotLabel, TurnLabel
from streams.turn import EventId


def test_where_all_labels_are_right_enough_none_is_left_out() -> None:
    confidences = np.linspace(0, 1, 100)
    right = np.arange(100) >= 10
    assert threshold(confidences, right, 0.9) == 0
    assert threshold(confidences, right, 0.91) == pytest.approx(confidences[2])


@pytest.mark.parametrize("precision", [0.5, 0.8, 0.9, 0.99])
def test_labels_above_a_threshold_have_the_precision_and_those_below_would_break_it(precision: float) -> None:
    generator = np.random.default_rng(1)
    confidences = generator.random(5_000)
    right = generator.random(5_000) < confidences
    found = threshold(confidences, right, precision)
    assert right[confidences >= found].mean() >= precision
    lower = np.sort(confidences[confidences < found])[::-1][50:1_000:50]
    assert all(right[confidences >= least].mean() < precision for least in lower)


def test_a_higher_precision_leaves_fewer_labels() -> None:
    generator = np.random.default_rng(2)
    confidences = generator.random(2_000)
    right = generator.random(2_000) < confidences
    found = [threshold(confidences, right, precision) for precision in (0.3, 0.6, 0.8, 0.95, 1.0)]
    assert found == sorted(found)
    assert found[0] == 0


def test_labels_that_are_equally_sure_stay_together() -> None:
    confidences = [0.9] * 30 + [0.5] * 70
    assert threshold(confidences, [1.0] * 30 + [1.0] * 35 + [0.0] * 35, 0.9) == 0.9
    assert threshold([0.9] * 100, [1.0] * 60 + [0.0] * 40, 0.9) == NEVER


def test_of_too_few_labels_no_precision_is_known() -> None:
    assert threshold([1.0] * (LEAST_GIVEN - 1), [1.0] * (LEAST_GIVEN - 1), 0.5) == NEVER
    assert threshold([1.0] * LEAST_GIVEN, [1.0] * LEAST_GIVEN, 1.0) == 0
    few_right = [1.0] * (LEAST_GIVEN - 1) + [0.0] * 20
    assert threshold(np.linspace(1, 0.5, len(few_right)).tolist(), few_right, 0.99) == NEVER


def test_probable_labels_count_by_their_probability() -> None:
    confidences = np.linspace(1, 0, 100)
    assert threshold(confidences, [0.75] * 100, 0.75) == 0
    assert threshold(confidences, [0.75] * 100, 0.76) == NEVER


SPACE = LabelSpace(
    tasks=("goal_start", "goal_success", "defect", "satisfaction", "domain", "intent", "slots"),
    domains=("a", "b"),
    intents=("x", "y"),
    slots=("genre",),
)
SLOT = SlotLabel(name="genre", value="jazz", start=5, end=9)
RIGHT = TurnTarget(
    {
        "goal_start": (0.0,),
        "goal_success": (1.0,),
        "defect": (0.0,),
        "satisfaction": (0.0, 0.0, 0.4, 0.6, 0.0),
    },
    {"domain": 1, "intent": 0},
    (SLOT,),
)


def _label(sure: float, **changes: Any) -> TurnLabel:
    known: dict[str, Any] = {
        "goal_success": 0.9,
        "defect": 0.1,
        "satisfaction": 3,
        "domain": "b",
        "intent": "x",
        "slots": (SLOT,),
    }
    return TurnLabel(
        event_id=EventId("e"),
        goal_id="g",
        **{"goal_start": False, **known, **changes},
        confidence=dict.fromkeys(SPACE.tasks, sure),
    )


def _thresholds(wrong: TurnLabel, target: TurnTarget = RIGHT) -> dict[LabelName, float]:
    """With 30 right labels, surer than 30 wrong ones."""
    labels = [[_label(0.9)] * 30, [wrong] * 30]
    return label_thresholds(labels, [[target] * 30] * 2, SPACE, 0.9)


def test_right_labels_of_all_kinds_are_given() -> None:
    assert _thresholds(_label(0.6)) == dict.fromkeys(SPACE.tasks, 0.0)


@pytest.mark.parametrize(
    ("task", "wrong"),
    [
        ("goal_start", {"goal_start": True}),
        ("goal_success", {"goal_success": 0.2}),
        ("defect", {"defect": 0.5}),
        ("satisfaction", {"satisfaction": 2}),
        ("domain", {"domain": "a"}),
        ("intent", {"intent": "y"}),
        ("slots", {"slots": ()}),
        ("slots", {"slots": (SLOT, SlotLabel(name="genre", value="play", start=0, end=4))}),
    ],
)
def test_each_label_is_judged_by_what_is_said_of_it(task: LabelName, wrong: dict[str, Any]) -> None:
    assert _thresholds(_label(0.6, **wrong)) == {**dict.fromkeys(SPACE.tasks, 0.0), task: 0.9}


def test_another_rating_on_the_same_side_is_right() -> None:
    assert _thresholds(_label(0.6, satisfaction=5))["satisfaction"] == 0


def test_of_what_nothing_is_known_there_is_no_threshold() -> None:
    assert label_thresholds([[_label(0.9)]], [[TurnTarget({}, {})]], SPACE, 0.9) == {}
    assert label_thresholds([], [], SPACE, 0.9) == {}


def test_a_name_that_the_model_does_not_know_is_missed_by_whatever_it_says() -> None:
    target = TurnTarget({}, {"intent": UNKNOWN})
    assert _thresholds(_label(0.6), target) == {"intent": NEVER}
