"""Scores of labels on logs whose figures can be worked out in the head."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from turns import turn_event

from labeling.annotations.annotation import AnnotatedSlot
from labeling.labels.turn_label import SlotLabel, TurnLabel
from services.evaluation.common.resamples import ClusterResamples
from services.evaluation.errors import MismatchError
from services.evaluation.labels.gold import GoldLabel, read_gold_labels
from services.evaluation.labels.log import LabelLog
from services.evaluation.labels.satisfaction import Rated, RatedItems
from services.evaluation.labels.score import (
    MAJORITY,
    NO_GOLD,
    ONE_RATER,
    SILENT,
    LabelScores,
    NotScored,
    score_labels,
)
from services.evaluation.labels.scored_task import SystemScore, Task, TaskScore
from streams.turn import EventId, NluHypothesis, Recognition, Request, Response, Signals, Slot, TurnEvent

USS = Path(__file__).resolve().parents[5] / "shared/data/uss"

OK = Response(text="here it is", status="ok")
FAILED = Response(text="sorry", status="error")


def turn(number: int, text: str = "play jazz", *, at_s: float = 0, user: str = "u", **more: Any) -> TurnEvent:
    return turn_event(
        text, event_id=f"e{number}", user_id=user, ts_ms=int(at_s * 1000), **({"response": OK} | more)
    )


def gold(number: int, **values: Any) -> GoldLabel:
    return GoldLabel(event_id=EventId(f"e{number}"), **values)


def label(number: int, goal: int | None = None, **values: Any) -> TurnLabel:
    start = number if goal is None else goal
    return TurnLabel(
        event_id=EventId(f"e{number}"), goal_id=f"e{start}", goal_start=start == number, **values
    )


def scored(
    turns: Sequence[TurnEvent], true: Sequence[GoldLabel], labels: Sequence[TurnLabel], **more: Any
) -> LabelScores:
    return score_labels(turns, true, {"ours": labels}, resamples=5, **more)


def task_of(scores: LabelScores, task: Task) -> TaskScore:
    (found,) = [one for one in scores.tasks if one.task == task]
    return found


def system(scores: LabelScores, task: Task, name: str = "ours") -> SystemScore:
    (found,) = [one for one in task_of(scores, task).systems if one.name == name]
    return found


def figures(scores: LabelScores, task: Task, name: str = "ours") -> dict[str, float | None]:
    return {measure: one.value for measure, one in system(scores, task, name).measures.items()}


def test_goals_beside_the_rules() -> None:
    turns = [
        turn(0, "play jazz", response=FAILED),
        turn(1, "play some jazz", at_s=10),
        turn(2, "weather tomorrow", at_s=20),
        turn(3, "lights on", at_s=100),  # a gap, but the goal is still that of the turn before
        turn(4, "lights on", at_s=110),
    ]
    true = [gold(0, goal_id="a"), gold(1, goal_id="a"), *(gold(n, goal_id="b") for n in (2, 3, 4))]
    scores = scored(turns, true, [label(0), label(1, 0), label(2), label(3, 2), label(4, 2)])
    task = task_of(scores, "goals")
    assert (task.items, task.positives, task.clusters) == (4, 1, 2)
    assert figures(scores, "goals") == {"precision": 1, "recall": 1, "f1": 1, "window_diff": 0}
    assert figures(scores, "goals", "gaps alone")["precision"] == 0
    assert figures(scores, "goals", "every turn")["precision"] == 0.25
    # The failure and the same words join; the gap, and other words after a turn that went well, do not.
    signals = figures(scores, "goals", "signal rule")
    assert (signals["precision"], signals["recall"]) == (0.5, 1)


def test_dialogues_of_one_user_are_resampled() -> None:
    """Without others, the user alone would leave no doubt."""
    turns = [turn(n, dialogue_id=f"d{n // 2:02}", at_s=n) for n in range(40)]
    true = [gold(n, correct=n % 3 > 0) for n in range(40)]
    labels = [label(n, defect=0.9 if n % 5 else 0.1) for n in range(40)]
    scores = scored(turns, true, labels)
    assert (scores.users, scores.cluster, scores.clusters) == (1, "dialogues", 20)
    f1 = task_of(scores, "defect").systems[0].measures["f1"]
    assert f1.low < f1.value < f1.high
    of_many = scored(
        [turn(n, user=f"u{n // 2:02}", dialogue_id=f"d{n // 2:02}", at_s=n) for n in range(40)], true, labels
    )
    assert (of_many.users, of_many.cluster, of_many.clusters) == (20, "users", 20)
    assert task_of(of_many, "defect").systems[0].measures["f1"] == f1


def test_goals_lie_within_dialogues() -> None:
    turns = [turn(n, dialogue_id=f"d{n // 2:02}", at_s=n) for n in range(4)]
    true = [gold(n, goal_id=name) for n, name in enumerate("abbc")]
    task = task_of(scored(turns, true, [label(n) for n in range(4)]), "goals")
    assert (task.items, task.positives) == (2, 2)  # the step from one dialogue to the next is no pair


def defects() -> tuple[list[TurnEvent], list[GoldLabel]]:
    """Six users: a shown defect, one that only a second try shows, one that nothing shows, and none."""
    turns = [
        turn(0, user="a", response=FAILED),
        turn(1, "play chess", user="b"),
        turn(2, "play jazz", user="b", at_s=5),
        turn(3, user="c"),
        turn(4, user="d"),
        turn(5, user="e", signals=Signals(barge_in=True)),
    ]
    wrong = {0, 1, 3}
    return turns, [gold(n, correct=n not in wrong) for n in range(6)]


def test_defects_beside_signals() -> None:
    turns, true = defects()
    scores = scored(turns, true, [label(n, defect=0.9 if n in {0, 1, 3} else 0.1) for n in range(6)])
    ours = figures(scores, "defect")
    assert [ours[name] for name in ("accuracy", "f1", "average_precision", "roc_auc")] == [1, 1, 1, 1]
    assert ours["calibration_error"] == pytest.approx(0.1)
    signals = figures(scores, "defect", "signals")  # says 0, 1 and the barge-in 5
    assert (signals["precision"], signals["recall"]) == pytest.approx((2 / 3, 2 / 3))
    alone = figures(scores, "defect", "own signals")
    assert (alone["precision"], alone["recall"]) == pytest.approx((1 / 2, 1 / 3))
    assert figures(scores, "defect", "prevalence")["average_precision"] == 0.5
    assert "1 - confidence" not in {one.name for one in task_of(scores, "defect").systems}


def test_defects_without_signals_are_those_of_silent_turns() -> None:
    turns, true = defects()
    scores = scored(turns, true, [label(n, defect=0.9 if n == 1 else 0.1) for n in range(6)])
    task = task_of(scores, "defect without signals")
    assert (task.items, task.positives) == (4, 2)
    assert figures(scores, "defect without signals")["recall"] == 0.5
    assert figures(scores, "defect without signals", "own signals")["recall"] == 0
    assert figures(scores, "defect without signals", "signals")["recall"] == 0.5


def test_confidence_is_a_baseline_where_the_log_has_it() -> None:
    turns = [
        turn(
            n,
            user=f"u{n}",
            request=Request(text="play", asr=(Recognition(text="play", confidence=sure),)),
            nlu=(NluHypothesis(intent="x", confidence=0.5),),
        )
        for n, sure in enumerate((0.2, 1.0))
    ]
    true = [gold(0, correct=False), gold(1, correct=True)]
    scores = scored(turns, true, [label(n, defect=0.5) for n in range(2)])
    doubt = system(scores, "defect", "1 - confidence")
    assert [point.threshold for point in doubt.curve] == pytest.approx([0.9, 0.5])
    assert doubt.measures["average_precision"].value == 1


def test_missed_goals() -> None:
    turns = [turn(n, user=f"u{n // 2:02}", at_s=n) for n in range(8)]
    true = [
        gold(0, goal_id="a", correct=False),  # reached in the end
        gold(1, goal_id="a", correct=True),
        gold(2, goal_id="b", correct=False),  # missed
        gold(3, goal_id="b", correct=False),
        gold(4, goal_id="c", goal_success=False),  # missed at first
        gold(5, goal_id="c", goal_success=True),
        gold(6, goal_id="d", correct=False),  # nobody knows of its second turn
        gold(7, goal_id="d"),
    ]
    success = {1: 0.9, 3: 0.2, 5: 0.4}  # what is said of the turns before the last is not looked at
    scores = scored(turns, true, [label(n, goal_success=success.get(n, 0.0)) for n in range(8)])
    task = task_of(scores, "goal success")
    assert (task.items, task.positives) == (3, 1)
    ours = figures(scores, "goal success")
    assert (ours["precision"], ours["recall"], ours["average_precision"]) == (0.5, 1, 1)
    calls = task_of(scores, "goal success of calls")
    assert (calls.items, calls.positives) == (2, 1)  # turns 4 and 5, whatever their goal came to
    ours = figures(scores, "goal success of calls")
    assert (ours["precision"], ours["recall"], ours["average_precision"]) == (0.5, 1, 1)


def test_labels_that_were_not_taught_goals_are_not_scored_on_them() -> None:
    turns = [turn(n, at_s=n) for n in range(2)]
    true = [gold(0, goal_id="a", intent="x"), gold(1, goal_id="b", intent="x")]
    ours = [label(n, intent="x", confidence={"intent": 0.8, "goal_start": 0.8}) for n in range(2)]
    theirs = [label(n, intent="x", confidence={"intent": 0.8}) for n in range(2)]
    scores = score_labels(turns, true, {"ours": ours, "theirs": theirs}, resamples=5)
    assert NotScored("goals", SILENT, "theirs") in scores.not_scored
    assert [one.name for one in task_of(scores, "goals").systems][:2] == ["ours", "gaps alone"]


def test_satisfaction_beside_one_rater_and_the_majority() -> None:
    ratings = [(1, 1, 3), (2, 2, 2), (3, 4, 5), (5, 5, 5)]
    turns = [turn(n, user=f"u{n}") for n in range(4)]
    true = [gold(n, ratings=given, dialogue_ratings=given) for n, given in enumerate(ratings)]
    labels = [
        label(
            n,
            satisfaction=2 if n < 2 else 4,
            dissatisfaction=0.9 - 0.2 * n,
            dialogue_satisfaction=4,
            dialogue_dissatisfaction=0.2,
        )
        for n in range(4)
    ]
    scores = scored(turns, true, labels)
    ours, rater = figures(scores, "satisfaction"), figures(scores, "satisfaction", ONE_RATER)
    # Of the first, one third of the truths is that others are dissatisfied.
    assert ours["precision"] == pytest.approx((1 / 3 + 1) / 2)
    assert ours["recall"] == 1
    assert ours["accuracy"] == pytest.approx((1 / 3 + 3) / 4)
    assert (ours["accuracy_of_all"], ours["f1_of_all"], ours["average_precision_of_all"]) == (1, 1, 1)
    assert rater["accuracy"] == pytest.approx(3 / 4)
    # 1 / (1 + 2/3) of what the rater names is right: so are the first two together.
    assert rater["precision"] == pytest.approx(0.6)
    assert (ours["found_at_human_precision"], ours["named_at_human_precision"]) == (1, 0.5)
    difference = next(one for one in task_of(scores, "satisfaction").differences if one.other == ONE_RATER)
    assert difference.measures["accuracy"].value == pytest.approx(1 / 3 / 4)
    assert "roc_auc" not in difference.measures
    dialogues = figures(scores, "dialogue satisfaction")
    majority = figures(scores, "dialogue satisfaction", MAJORITY)
    assert dialogues["accuracy"] == majority["accuracy"] == pytest.approx((2 / 3 + 2) / 4)


def test_a_rating_without_a_probability_is_scored_and_the_other_way_round() -> None:
    turns = [turn(n, user=f"u{n}") for n in range(2)]
    true = [gold(0, ratings=(1, 1, 1)), gold(1, ratings=(5, 5, 5))]
    for labels in (
        [label(0, satisfaction=1), label(1, satisfaction=3)],
        [label(0, dissatisfaction=0.6), label(1, dissatisfaction=0.4)],
    ):
        ours = figures(scored(turns, true, labels), "satisfaction")
        assert (ours["accuracy"], ours["average_precision"]) == (1, 1)


def test_intents_beside_the_understanding_of_the_log() -> None:
    turns = [turn(n, user=f"u{n}", nlu=(NluHypothesis(intent="play", domain="music"),)) for n in range(4)]
    true = [
        gold(0, domain="music", intent="play"),
        gold(1, domain="music", intent="stop"),
        gold(2, domain="game", intent="play"),
        gold(3, domain="game"),
    ]
    labels = [
        label(0, domain="music", intent="play", abstained=("domain",)),
        label(1, domain="music", intent="play"),
        label(2, domain="music", intent="play"),
        label(3, domain="game", intent="play"),
    ]
    known = [GoldLabel(event_id=EventId("x"), domain="music", intent="stop")]
    scores = scored(turns, true, labels, train_gold=known)
    assert task_of(scores, "intent").items == 3
    ours = figures(scores, "intent")
    assert (ours["accuracy"], ours["seen_accuracy"]) == (pytest.approx(2 / 3), 0)
    domain = figures(scores, "domain")
    assert (domain["accuracy"], domain["sure_accuracy"], domain["sure_share"]) == (
        0.75,
        pytest.approx(2 / 3),
        0.75,
    )
    assert figures(scores, "domain", "NLU of the log")["accuracy"] == 0.5
    assert figures(scores, "intent", "most frequent")["accuracy"] == pytest.approx(2 / 3)


def test_an_intent_that_means_something_only_within_its_domain() -> None:
    turns = [turn(n, user=f"u{n}") for n in range(2)]
    true = [gold(n, domain=name, intent="query", intent_within_domain=True) for n, name in enumerate("ab")]
    labels = [label(n, domain="a", intent="query") for n in range(2)]
    assert figures(scored(turns, true, labels), "intent")["accuracy"] == 0.5


def test_slots_by_characters_and_by_values() -> None:
    text = "play Jazz in the  kitchen"
    heard = NluHypothesis(intent="play", slots=(Slot(name="genre", value="JAZZ"), Slot(name="x", value="y")))
    turns = [turn(0, text, user="a", nlu=(heard,)), turn(1, "stop", user="b")]
    true = [
        gold(
            0,
            slots=(AnnotatedSlot(name="genre", start=5, end=9), AnnotatedSlot(name="room", start=13, end=25)),
        ),
        gold(1, slots=()),
    ]
    labels = [
        label(
            0,
            slots=(
                SlotLabel(name="genre", value="Jazz", start=5, end=9),
                SlotLabel(name="room", value="The kitchen", start=12, end=25),
            ),
        ),
        label(1, slots=(SlotLabel(name="genre", value="stop", start=0, end=4),)),
    ]
    scores = scored(turns, true, labels)
    characters, values = figures(scores, "slots"), figures(scores, "slot values")
    assert (characters["precision"], characters["recall"]) == (pytest.approx(1 / 3), 0.5)
    assert (values["precision"], values["recall"]) == (pytest.approx(2 / 3), 1)
    understood = figures(scores, "slot values", "NLU of the log")
    assert (understood["precision"], understood["recall"], understood["f1"]) == (0.5, 0.5, 0.5)
    assert len(task_of(scores, "slots").systems) == 1


def test_slots_that_have_values_alone_are_not_scored_by_characters() -> None:
    true = [gold(0, slots=(AnnotatedSlot(name="genre", value="Jazz"),)), gold(1, slots=())]
    labels = [label(0, slots=(SlotLabel(name="genre", value="jazz", start=5, end=9),)), label(1)]
    scores = scored([turn(0), turn(1, user="v")], true, labels)
    assert figures(scores, "slot values")["f1"] == 1
    assert ("slots", NO_GOLD) in [(one.task, one.reason) for one in scores.not_scored]


def test_what_is_not_labelled_counts_as_not_said() -> None:
    turns, true = defects()
    scores = scored(turns, true, [label(n, defect=0.9 if n == 0 else None) for n in range(6)])
    assert system(scores, "defect").labelled == 1
    assert figures(scores, "defect")["recall"] == pytest.approx(1 / 3)


def test_what_nobody_labels_is_not_scored() -> None:
    turns, true = defects()
    more = [msgspec.structs.replace(line, intent="x", slots=(), ratings=(1, 2), domain="y") for line in true]
    scores = scored(turns, more, [label(n) for n in range(6)])
    assert scores.tasks == ()
    reasons = {(one.task, one.system): one.reason for one in scores.not_scored}
    assert reasons["defect", "ours"] == reasons["intent", "ours"] == SILENT
    assert reasons["satisfaction", "ours"] == reasons["slot values", "ours"] == SILENT
    assert reasons["goals", None] == NO_GOLD


def test_the_first_system_is_compared_with_all_others() -> None:
    turns, true = defects()
    systems = {
        "good": [label(n, defect=0.9 if n in {0, 1, 3} else 0.1) for n in range(6)],
        "bad": [label(n, defect=0.1 if n in {0, 1, 3} else 0.9) for n in range(6)],
    }
    task = task_of(score_labels(turns, true, systems, resamples=50), "defect")
    assert [one.name for one in task.systems[:2]] == ["good", "bad"]
    assert {one.system for one in task.differences} == {"good"}
    difference = task.differences[0]
    assert (difference.other, difference.measures["accuracy"]) == (
        "bad",
        msgspec.structs.replace(difference.measures["accuracy"], value=1, low=1, high=1),
    )


def test_the_order_of_lines_changes_nothing() -> None:
    turns, true = defects()
    labels = [label(n, defect=n / 6) for n in range(6)]
    assert scored(turns, true, labels) == scored(turns[::-1], true[::-1], labels[::-1])


@pytest.mark.parametrize(
    ("turns", "true", "labels", "problem"),
    [
        (2, [0, 1], [0], r"1 turns have no line in the labels of 'ours' \(e1\)"),
        (2, [0, 1], [0, 1, 2], r"1 lines of the labels of 'ours' belong to no turn \(e2\)"),
        (2, [0, 1], [0, 1, 1], r"1 events occur more than once in the labels of 'ours' \(e1\)"),
        (2, [0, 2], [0, 1], r"1 lines of the gold belong to no turn \(e2\)"),
        (2, [0, 0], [0, 1], r"1 events occur more than once in the gold \(e0\)"),
    ],
)
def test_events_must_belong_together(turns: int, true: list[int], labels: list[int], problem: str) -> None:
    with pytest.raises(MismatchError, match=problem):
        scored(
            [turn(n) for n in range(turns)],
            [gold(n, correct=True) for n in true],
            [label(n, defect=0.5) for n in labels],
        )


def test_turns_without_gold_are_passed_over() -> None:
    turns, true = defects()
    scores = scored(turns, true[:3], [label(n, defect=0.5) for n in range(6)])
    assert (scores.turns, scores.gold_turns, task_of(scores, "defect").items) == (6, 3, 3)


def test_an_empty_log_has_no_scores() -> None:
    assert scored([], [], []).tasks == ()


@pytest.mark.skipif(not USS.is_dir(), reason="../shared/data/uss is not there")
@pytest.mark.parametrize(("rated", "f1", "accuracy"), [("turn", 0.300, 0.910), ("dialogue", 0.333, 0.913)])
def test_raters_of_real_dialogues(rated: Rated, f1: float, accuracy: float) -> None:
    true = read_gold_labels(USS / "gold.public.jsonl.gz")
    turns = [turn_event(event_id=line.event_id, user_id=line.event_id.split(":")[0]) for line in true]
    log = LabelLog.join(turns, true)
    measures = RatedItems.of(log, rated).rater_measures(ClusterResamples(log.users, 0, 0))
    assert measures is not None
    assert (measures["f1"][0], measures["accuracy"][0]) == pytest.approx((f1, accuracy), abs=5e-4)
