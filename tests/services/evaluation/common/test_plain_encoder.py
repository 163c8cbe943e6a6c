"""The plain encoder learns what texts show, and says no more."""

from collections.abc import Sequence

import pytest
from request_world import WORDS, annotation_of, request_log, true_intent, true_slot
from tiny_encoder import write_tiny_base
from turns import turn_event

from labeling.annotations.annotation import Annotation
from labeling.errors import LabelTrainingError
from labeling.labels.training import LabelTraining
from services.evaluation.common.plain_encoder import STAGE, PlainLabeller, train_plain_encoder
from streams.session import sessionize
from streams.turn import EventId, TurnEvent


def dialogues(numbers: Sequence[int]) -> list[Sequence[TurnEvent]]:
    return [session.turns for session in sessionize(request_log(numbers))]


LEARNED = dialogues([number for number in range(75) if number % 25])
UNSEEN = dialogues([75, 100])
SAID = {EventId(turn.event_id): annotation_of(turn) for turns in LEARNED for turn in turns}


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> LabelTraining:
    base = write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", WORDS, positions=200)
    return LabelTraining(base=str(base), layers=1, epochs=20, learning_rate=3e-3, head_rate=1e-2)


@pytest.fixture(scope="module")
def steps() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def labeller(training: LabelTraining, steps: list[tuple[str, int, int]]) -> PlainLabeller:
    return train_plain_encoder(LEARNED, SAID, training, lambda *step: steps.append(step))


def test_meaning_is_read_off_texts(labeller: PlainLabeller) -> None:
    labels = labeller.label(UNSEEN)
    for turns, of_dialogue in zip(UNSEEN, labels, strict=True):
        for turn, label in zip(turns, of_dialogue, strict=True):
            assert label.event_id == turn.event_id
            assert label.intent == true_intent(turn)
            assert label.slots == (true_slot(turn),)
            assert set(label.confidence) == {"intent", "slots"}
            assert 0.5 < label.confidence["intent"] <= 1
            assert (label.domain, label.defect, label.goal_success) == (None, None, None)


def test_a_session_is_one_goal_and_a_text_means_the_same_everywhere(labeller: PlainLabeller) -> None:
    (first, *_), (later, *_) = together = labeller.label(UNSEEN[:1] * 2)
    assert [label.goal_start for label in together[0]] == [True, False]
    assert {label.goal_id for label in together[0]} == {first.event_id}
    assert first == later
    assert labeller.label([]) == []


def test_any_text_can_be_read(labeller: PlainLabeller) -> None:
    texts = ("", " ", "päris 🎷" * 200, "<s></s>")
    turns = [turn_event(text, event_id=f"e{number}") for number, text in enumerate(texts)]
    (labels,) = labeller.label([turns])
    assert len(labels) == len(texts)
    assert labels[0].slots == ()


def test_it_takes_the_epochs_of_the_training(
    labeller: PlainLabeller, training: LabelTraining, steps: list[tuple[str, int, int]]
) -> None:
    of_epoch = -(-len(SAID) // training.batch_turns)
    total = training.epochs * of_epoch
    assert steps == [(STAGE, step, total) for step in range(1, total + 1)]


def test_annotations_that_name_nothing_teach_nothing(training: LabelTraining) -> None:
    said = {event: Annotation(event_id=event, correct=True) for event in SAID}
    with pytest.raises(LabelTrainingError, match="nothing to learn from: domain: no annotation says it"):
        train_plain_encoder(LEARNED, said, training)
