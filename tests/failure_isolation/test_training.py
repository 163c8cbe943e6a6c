"""What failure models learn of a world whose failure points are known, and what they tell it by."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest
import torch
from fault_world import CLASSES, fault_dialogues, points_of
from turns import turn_event

from failure_isolation.batch import FailureExample, failure_logits
from failure_isolation.errors import FailureTrainingError
from failure_isolation.isolator import ModelFailureIsolator
from failure_isolation.part import TRACES, FailurePart
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.settings import FailureSettings
from failure_isolation.training import (
    NEIGHBOURS,
    FailureTraining,
    KnownFailures,
    TrainedFailures,
    learned_stretches,
    train_failure_model,
)
from labeling.annotations.annotation import Annotation, FailurePoint
from labeling.errors import EncoderBaseError
from labeling.turns.dialogue_part import NO_CONTEXT
from streams.turn import EventId, TurnEvent

UNSEEN, TRUTHS = fault_dialogues(120, seed=2)
POINTS = [points_of(turns, TRUTHS) for turns in UNSEEN]
CPU = torch.device("cpu")


def _f1(trained: TrainedFailures, point: FailurePoint, *hidden: FailurePart) -> float:
    """Of a class, with parts of the dialogues hidden."""
    said: list[FailurePoint] = []
    with torch.no_grad():
        for turns in UNSEEN:
            example = FailureExample(turns, frozenset(hidden))
            logits = failure_logits(trained.model, trained.tokenizer, [example], CPU)[0].sum(dim=1)
            said += [FAILURE_POINTS[int(choice)] for choice in logits.argmax(dim=-1)]
    true = [one for points in POINTS for one in points]
    right = sum(one == two == point for one, two in zip(said, true, strict=True))
    return 2 * right / (said.count(point) + true.count(point))


def test_each_class_is_found_in_dialogues_that_were_not_seen(isolator: ModelFailureIsolator) -> None:
    counts: Counter[tuple[FailurePoint, bool]] = Counter()
    for failures, points in zip(isolator.isolate(UNSEEN), POINTS, strict=True):
        for failure, point in zip(failures, points, strict=True):
            counts[point, failure.failure_point == point] += 1
    for point in CLASSES:
        assert counts[point, True] >= 0.9 * (counts[point, True] + counts[point, False])


@pytest.mark.parametrize(
    ("point", "hidden"),
    [
        ("asr", ("following",)),
        ("nlu", ("understanding", "hypotheses", "following")),
        ("entity_resolution", ("entities", "following")),
        ("result", ("status", "responses", "following")),
    ],
)
def test_a_class_is_told_by_the_parts_that_show_it(
    trained: TrainedFailures, point: FailurePoint, hidden: tuple[FailurePart, ...]
) -> None:
    # With the next turn, which asks again, a class is what the other parts leave over. Half of the turns that
    # look alike without these parts are of the class, so that who guesses it has an F1 of 2/3.
    assert _f1(trained, point) >= 0.9
    assert _f1(trained, point, *hidden) <= 0.75


def test_a_false_wake_is_told_by_its_words_where_the_device_says_nothing(trained: TrainedFailures) -> None:
    assert _f1(trained, "false_wake", "wake") >= 0.9


def test_a_class_that_nobody_knows_has_no_probability(fault_training: FailureTraining) -> None:
    dialogues, annotations = fault_dialogues(60)
    known = {key: one for key, one in annotations.items() if one.failure_point in ("asr", "correct")}
    trained = train_failure_model(dialogues, known, msgspec.structs.replace(fault_training, passes=1))
    weights = dict(zip(FAILURE_POINTS, trained.class_weights, strict=True))
    assert {point for point, weight in weights.items() if weight} == {"asr", "correct"}
    assert weights["asr"] == 1 > weights["correct"]


def test_the_same_seed_gives_the_same_weights(fault_training: FailureTraining) -> None:
    dialogues, annotations = fault_dialogues(40)
    short = msgspec.structs.replace(fault_training, passes=1)
    first, second = (train_failure_model(dialogues, annotations, short) for _ in range(2))
    other = train_failure_model(dialogues, annotations, msgspec.structs.replace(short, seed=2))
    weights = [one.model.head[-1].weight for one in (first, second, other)]  # type: ignore[index]  # a Sequential
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_users_are_held_back_as_a_whole(fault_training: FailureTraining) -> None:
    dialogues, annotations = fault_dialogues(60)
    of_users = [
        [msgspec.structs.replace(turn, user_id=f"u{number % 12}") for turn in turns]
        for number, turns in enumerate(dialogues)
    ]
    short = msgspec.structs.replace(fault_training, passes=1)
    trained = train_failure_model(of_users, annotations, short)
    held = {dialogue.turns[0].user_id for dialogue in trained.held_back}
    assert len(trained.held_back) == 5 * len(held)  # all five dialogues of each
    assert 0 < len(held) < 12
    groups = [str(number // 6) for number in range(60)]
    kept = train_failure_model(of_users, annotations, short, groups=groups).held_back
    ids = [turns[0].event_id for turns in of_users]
    found = Counter(groups[ids.index(dialogue.turns[0].event_id)] for dialogue in kept)
    assert set(found.values()) == {6}


def test_too_little_is_refused(fault_training: FailureTraining) -> None:
    dialogues, annotations = fault_dialogues(60)
    few = dict(list(annotations.items())[:20])
    with pytest.raises(FailureTrainingError, match="20 turns"):
        train_failure_model(dialogues, few, fault_training)
    same = {key: Annotation(event_id=key, failure_point="asr") for key in annotations}
    with pytest.raises(FailureTrainingError, match="1 different"):
        train_failure_model(dialogues, same, fault_training)
    with pytest.raises(EncoderBaseError):
        train_failure_model(
            dialogues, annotations, msgspec.structs.replace(fault_training, base="/no/such/model")
        )


def test_settings_say_what_is_always_hidden() -> None:
    assert FailureTraining.of(FailureSettings()).hidden == frozenset()
    assert FailureTraining.of(FailureSettings(context=False)).hidden == NO_CONTEXT
    assert FailureTraining.of(FailureSettings(traces=False)).hidden == TRACES


@pytest.mark.parametrize("known_at", [[0], [3, 5], [0, 30, 31, 70], list(range(100)), [99]])
def test_each_known_turn_is_learned_once_with_its_neighbours(known_at: Sequence[int]) -> None:
    turns: list[TurnEvent] = [turn_event(event_id=f"e{number}") for number in range(100)]
    points: list[FailurePoint | None] = ["asr" if number in known_at else None for number in range(100)]
    learned = []
    for stretch in learned_stretches(KnownFailures(turns, points)):
        assert len(stretch.turns) == len(stretch.known) <= 5 * NEIGHBOURS + 1
        first = int(stretch.turns[0].event_id[1:])
        for row, point in enumerate(stretch.known):
            assert stretch.turns[row].event_id == f"e{first + row}"
            if point is not None:
                learned.append(first + row)
                assert row >= min(NEIGHBOURS, first + row)
                assert len(stretch.turns) - row - 1 >= min(NEIGHBOURS, 99 - first - row)
    assert sorted(learned) == sorted(known_at)


def test_a_turn_that_is_annotated_with_other_things_teaches_nothing(fault_training: FailureTraining) -> None:
    dialogues, annotations = fault_dialogues(60)
    others = {EventId("x"): Annotation(event_id="x", correct=True)}
    silent = {key: Annotation(event_id=key, correct=True) for key in annotations}
    with pytest.raises(FailureTrainingError, match="0 turns"):
        train_failure_model(dialogues, {**silent, **others}, fault_training)
