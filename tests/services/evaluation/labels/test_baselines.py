"""Baselines of labels that learn, on logs whose words tell everything."""

import numpy as np
import pytest
from turns import turn_event

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.score_thresholds import best_f1
from services.evaluation.errors import MismatchError
from services.evaluation.labels.baselines import (
    BAG_OF_WORDS,
    class_baseline,
    dissatisfaction_baseline,
)
from services.evaluation.labels.classes import ClassItems
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.log import LabelLog
from services.evaluation.labels.satisfaction import RatedItems
from services.evaluation.labels.score import score_labels
from streams.turn import EventId, Response, TurnEvent


def dialogues(name: str, count: int) -> tuple[list[TurnEvent], list[GoldLabel]]:
    """Dialogues of five turns; every third one goes wrong, which its third turn alone says.

    The intent is that of the verb, and in the answers of every second dialogue there is a word of no meaning.
    """
    turns, gold = [], []
    for number in range(count):
        bad = number % 3 == 0
        for position in range(5):
            event_id = f"{name}{number}-{position}"
            complains = bad and position == 3
            verb = ("play", "stop")[(number + position) % 2]
            turns.append(
                turn_event(
                    f"{verb} it" + (" that is wrong" if complains else ""),
                    event_id=event_id,
                    user_id=f"{name}{number}",
                    dialogue_id=f"{name}{number}",
                    ts_ms=position * 1000,
                    response=Response(text="sure " + "well" * (number % 2)),
                )
            )
            gold.append(
                GoldLabel(
                    event_id=EventId(event_id),
                    ratings=(1, 2, 4) if complains else (4, 4, 2),
                    dialogue_ratings=((1, 1, 1) if bad else (4, 4, 4)) if position == 4 else None,
                    intent=verb,
                )
            )
    return turns, gold


TRAIN = dialogues("train", 30)
TEST = dialogues("test", 12)


def test_words_that_tell_are_found() -> None:
    train, test = LabelLog.join(*TRAIN), LabelLog.join(*TEST)
    turns = RatedItems.of(test, "turn")
    of_turns = dissatisfaction_baseline(train, test, turns, "turn", seed=0)
    assert of_turns is not None
    assert of_turns.decided.tolist() == turns.of_all.truth.astype(bool).tolist()
    # The turn before the last one tells.
    ended = RatedItems.of(test, "dialogue")
    of_dialogues = dissatisfaction_baseline(train, test, ended, "dialogue", seed=0)
    assert of_dialogues is not None
    assert of_dialogues.decided.tolist() == ended.of_all.truth.astype(bool).tolist()
    items = ClassItems.of(test, "intent")
    named = class_baseline(train, test, items, seed=0)
    assert named is not None
    assert list(named.named) == list(items.truth)


def test_the_threshold_is_that_of_the_best_f1() -> None:
    truth = np.array([True, True, False, True, False, False])
    for scores, best in (([0.9, 0.8, 0.7, 0.6, 0.5, 0.1], 0.6), ([0.9, 0.8, 0.7, 0.0, 0.0, 0.0], 0.8)):
        assert best_f1(np.array(scores), truth, truth.sum())[0] == best


def test_nothing_is_learned_from_one_kind_alone() -> None:
    turns, gold = TRAIN
    content = LabelLog.join(
        turns, [GoldLabel(event_id=line.event_id, ratings=(4, 5), intent="play") for line in gold]
    )
    test = LabelLog.join(*TEST)
    assert dissatisfaction_baseline(content, test, RatedItems.of(test, "turn"), "turn", seed=0) is None
    assert class_baseline(content, test, ClassItems.of(test, "intent"), seed=0) is None


def labels() -> list[TurnLabel]:
    return [
        TurnLabel(
            event_id=EventId(turn.event_id),
            goal_id=turn.event_id,
            goal_start=True,
            dissatisfaction=0.1,
            dialogue_dissatisfaction=0.1,
            intent="play",
        )
        for turn in TEST[0]
    ]


def test_baselines_stand_beside_the_labels_and_the_seed_decides() -> None:
    scores = [
        score_labels(*TEST, {"ours": labels()}, train_turns=TRAIN[0], train_gold=TRAIN[1], resamples=5)
        for _ in range(2)
    ]
    for task, measure in (
        ("satisfaction", "f1_of_all"),
        ("dialogue satisfaction", "f1_of_all"),
        ("intent", "accuracy"),
    ):
        (score,) = [one for one in scores[0].tasks if one.task == task]
        (words,) = [one for one in score.systems if one.name == BAG_OF_WORDS]
        assert words.baseline
        assert words.measures[measure].value == 1
    assert scores[0] == scores[1]


def test_annotations_of_other_turns_are_passed_over() -> None:
    few = [turn for turn in TRAIN[0] if "that is wrong" not in turn.request.text]
    scores = score_labels(*TEST, {"ours": labels()}, train_turns=few, train_gold=TRAIN[1], resamples=5)
    assert any(
        note.startswith("satisfaction: no bag of words") and "dissatisfied" in note for note in scores.notes
    )


def test_what_is_scored_must_not_be_learned_from() -> None:
    both = [*TRAIN[0], TEST[0][0]]
    with pytest.raises(MismatchError, match=r"1 turns of the test log are in the training log.*test0-0"):
        score_labels(*TEST, {"ours": labels()}, train_turns=both, train_gold=TRAIN[1], resamples=5)
