"""From logits to labels, with logits that say what the labels must be."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from turns import turn_event

from labeling.labels.calibration import Calibration, Scale
from labeling.labels.decision import decide
from labeling.labels.reader import TurnLogits
from labeling.labels.space import LabelSpace
from labeling.labels.turn_label import SlotLabel, TurnLabel
from labeling.labels.weak_defects import CONTINUES, SIGNALS, DefectEvidence
from streams.turn import Response, TurnEvent

YES, NO = [4.0], [-4.0]
PLAIN = Calibration({"goal_start": Scale()})
P_YES = 1 / (1 + math.exp(-4))


def _logits(**values: Sequence[float]) -> TurnLogits:
    return TurnLogits({task: np.array(one, dtype=np.float32) for task, one in values.items()}, None, ())  # type: ignore[misc]  # the names of the tasks


def _turns(count: int) -> list[TurnEvent]:
    return [turn_event(f"request {number}", event_id=f"e{number}") for number in range(count)]


def _decided(logits: Sequence[TurnLogits], calibration: Calibration = PLAIN, **space: Any) -> list[TurnLabel]:
    tasks = space.pop("tasks", tuple(logits[0].values))
    return decide(_turns(len(logits)), logits, LabelSpace(tasks=tasks, **space), calibration)


def test_a_goal_goes_from_its_start_to_the_next() -> None:
    labels = _decided([_logits(goal_start=one) for one in (NO, NO, YES, NO, YES)])
    assert [label.goal_start for label in labels] == [True, False, True, False, True]
    assert [label.goal_id for label in labels] == ["e0", "e0", "e2", "e2", "e4"]
    assert [label.event_id for label in labels] == ["e0", "e1", "e2", "e3", "e4"]
    assert labels[0].confidence["goal_start"] == 1  # a dialogue starts with a goal, whatever the logits say
    assert labels[1].confidence["goal_start"] == labels[2].confidence["goal_start"] == round(P_YES, 6)


def test_a_goal_starts_from_the_probability_on_at_which_that_is_said() -> None:
    calibration = Calibration(PLAIN.scales, {"goal_start": 0.25})
    labels = _decided([_logits(goal_start=[one]) for one in (0.0, -1.0, -1.2)], calibration)
    assert [label.goal_start for label in labels] == [True, True, False]
    confidences = [label.confidence["goal_start"] for label in labels]
    assert confidences == pytest.approx([1, 1 / (1 + math.e), 1 / (1 + math.exp(-1.2))], abs=1e-6)


def test_where_goals_are_not_learned_a_dialogue_is_one() -> None:
    labels = _decided([_logits(defect=one) for one in (NO, NO, YES)])
    assert [(label.goal_id, label.goal_start) for label in labels] == [
        ("e0", True), ("e0", False), ("e0", False),
    ]  # fmt: skip
    assert all("goal_start" not in label.confidence for label in labels)


def test_labels_that_nothing_taught_are_none() -> None:
    (label,) = _decided([_logits(goal_start=NO)])
    assert label == TurnLabel(
        event_id=label.event_id, goal_id="e0", goal_start=True, confidence={"goal_start": 1.0}
    )
    (label,) = _decided([_logits()], tasks=())
    assert label.confidence == {}


def test_a_goal_is_reached_if_its_last_turn_is_no_defect() -> None:
    logits = [
        _logits(goal_start=start, defect=defect)
        for start, defect in [(YES, YES), (NO, NO), (YES, NO), (NO, YES)]
    ]
    labels = _decided(logits)
    yes, no = round(P_YES, 6), round(1 - P_YES, 6)
    assert [label.defect for label in labels] == [yes, no, no, yes]
    assert [(label.goal_success or 0) > 0.5 for label in labels] == [True, True, False, False]
    assert all(label.confidence["goal_success"] == label.confidence["defect"] for label in labels[1::2])


def test_success_that_was_learned_is_said_as_it_is() -> None:
    (label,) = _decided([_logits(goal_success=YES, defect=YES)])
    assert label.goal_success == label.defect == round(P_YES, 6)


def test_logits_are_scaled_and_shifted() -> None:
    calibration = Calibration({"defect": Scale(0.5, -1.0), "intent": Scale(0.25)})
    (label,) = _decided(
        [_logits(defect=YES, intent=[0.0, 4.0])], calibration, tasks=("defect", "intent"), intents=("a", "b")
    )
    assert label.defect == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)
    assert label.intent == "b"
    assert label.confidence["intent"] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)


def _rating(ratings: Sequence[float], decision: float = 0.5) -> TurnLabel:
    (label,) = _decided(
        [_logits(satisfaction=np.log(ratings).tolist())],
        Calibration(decisions={"satisfaction": decision}),
        tasks=("satisfaction",),
    )
    return label


@pytest.mark.parametrize(
    ("ratings", "decision", "expected", "share"),
    [
        ((0.1, 0.1, 0.2, 0.5, 0.1), 0.5, 4, 0.2),
        ((0.4, 0.2, 0.1, 0.2, 0.1), 0.5, 1, 0.6),
        ((0.2, 0.1, 0.25, 0.25, 0.2), 0.29, 1, 0.3),
        ((0.3, 0.1, 0.1, 0.2, 0.3), 0.5, 5, 0.4),
        ((0.1, 0.3, 0.4, 0.1, 0.1), 0.35, 2, 0.4),
    ],
)
def test_a_rating_is_below_three_where_that_is_likely_enough(
    ratings: tuple[float, ...], decision: float, expected: int, share: float
) -> None:
    label = _rating(ratings, decision)
    assert label.satisfaction == expected
    assert label.dissatisfaction == pytest.approx(share, abs=1e-6)
    assert label.confidence["satisfaction"] == pytest.approx(share if expected < 3 else 1 - share, abs=1e-6)


def test_a_dialogue_is_rated_on_its_last_turn_alone() -> None:
    good = [0.0, 0.0, 0.0, 0.0, 9.0]
    labels = _decided([_logits(satisfaction=good, dialogue_satisfaction=good)] * 3)
    assert [label.dialogue_satisfaction for label in labels] == [None, None, 5]
    assert [label.dialogue_dissatisfaction is None for label in labels] == [True, True, False]
    assert [label.satisfaction for label in labels] == [5, 5, 5]
    assert ["dialogue_satisfaction" in label.confidence for label in labels] == [False, False, True]


def test_slots_are_those_of_the_tags_with_the_probability_of_them_all() -> None:
    tags = np.array([[9, 0, 0], [0, 2, 0], [0, 0, 2]], dtype=np.float32)
    logits = TurnLogits({}, tags, ((0, 4), (5, 9), (9, 14)))
    turn = turn_event("play jazz music")
    (label,) = decide([turn], [logits], LabelSpace(tasks=("slots",), slots=("genre",)), Calibration())
    assert label.slots == (SlotLabel(name="genre", value="jazz musi", start=5, end=14),)
    sure = math.exp(9) / (math.exp(9) + 2) * (math.exp(2) / (math.exp(2) + 2)) ** 2
    assert label.confidence["slots"] == pytest.approx(sure, abs=1e-5)


def test_a_request_without_tokens_has_no_slots_for_sure() -> None:
    for tags in (None, np.zeros((0, 3), dtype=np.float32)):
        (label,) = decide(
            [turn_event("")],
            [TurnLogits({}, tags, ())],
            LabelSpace(tasks=("slots",), slots=("genre",)),
            Calibration(),
        )
        assert label.slots == ()
        assert label.confidence["slots"] == 1


def test_labels_below_their_threshold_are_given_and_named() -> None:
    calibration = Calibration(
        scales=PLAIN.scales, thresholds={"defect": 0.99, "goal_success": 0.98, "goal_start": 0.5}
    )
    first, last = _decided([_logits(goal_start=NO, goal_success=YES, defect=YES)] * 2, calibration)
    assert first.abstained == last.abstained == ("defect",)
    assert first.defect == round(P_YES, 6)


def test_a_label_exactly_at_its_threshold_is_believed() -> None:
    calibration = Calibration(PLAIN.scales, thresholds={"defect": round(P_YES, 6)})
    (label,) = _decided([_logits(defect=YES)], calibration)
    assert label.confidence["defect"] == calibration.thresholds["defect"]
    assert label.abstained == ()


def test_signals_that_the_model_has_not_seen_are_joined_by_bayes_rule() -> None:
    evidence = DefectEvidence(
        {SIGNALS: {"error": 3.0, "ok": -1.0}, CONTINUES: {"5": 1.5, "last": 0.0, "0": 0.0}}, 0.0
    )
    turns = [
        turn_event(event_id=str(number), response=Response(text="x", status=status))
        for number, status in enumerate(("error", "ok", None))
    ]
    logits = [_logits(goal_start=NO, defect=[0.0])] * 3
    space = LabelSpace(tasks=("goal_start", "defect"))
    labels = decide(turns, logits, space, Calibration(PLAIN.scales, defects=evidence))
    odds = [math.log(label.defect / (1 - label.defect)) for label in labels if label.defect]
    assert odds == pytest.approx([3 + 1.5, -1 + 1.5, 0], abs=1e-3)
    plain = decide(turns, logits, space, PLAIN)
    assert [label.defect for label in plain] == [0.5] * 3


def test_signals_that_are_beyond_doubt_leave_a_probability() -> None:
    evidence = DefectEvidence({SIGNALS: {"none": 900.0}, CONTINUES: {}}, 0.0)
    (label,) = _decided([_logits(defect=[0.0])], Calibration(defects=evidence))
    assert label.defect == 1
    assert label.confidence["defect"] == 1


def test_a_dialogue_without_turns_has_no_labels() -> None:
    assert decide([], [], LabelSpace(tasks=("goal_start", "defect")), Calibration()) == []
