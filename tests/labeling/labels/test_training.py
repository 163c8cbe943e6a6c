"""What label models learn of a world whose labels are known, and what they must not look at."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from label_world import (
    ANGRY,
    MORE,
    annotations_of,
    label_dialogues,
    turns_of,
    weak_labels_of,
)
from sklearn.metrics import roc_auc_score
from turns import turn_event

from labeling.annotations.annotation import Annotation
from labeling.errors import EncoderBaseError, EncoderTrainingError, LabelTrainingError
from labeling.labels.batch import DialogueExample, encode
from labeling.labels.generator import ModelLabelGenerator
from labeling.labels.settings import LabelSettings
from labeling.labels.training import (
    MOST_EPOCHS,
    WINDOW_TURNS,
    LabelTraining,
    TrainedLabels,
    train_label_model,
)
from labeling.labels.turn_label import LabelName, TurnLabel
from labeling.turns.dialogue_batches import HELD_BACK
from labeling.turns.dialogue_part import NO_CONTEXT, NOTHING_HIDDEN, Part
from labeling.turns.tokenizer import MOST_TOKENS
from streams.turn import EventId, TurnEvent

UNSEEN = label_dialogues(120, seed=2)
CPU = torch.device("cpu")


def _logits(
    trained: TrainedLabels, turns: Sequence[TurnEvent], hidden: frozenset[Part], task: LabelName
) -> np.ndarray:  # type: ignore[type-arg]  # of floats
    """Of a dialogue: (turns, classes)."""
    with torch.no_grad():
        encoded = encode(trained.model, trained.tokenizer, [DialogueExample(turns, hidden)], CPU)
        found: np.ndarray = trained.model.logits(encoded.dialogues, encoded.seen)[task][0].numpy()  # type: ignore[type-arg]
    return found


@pytest.fixture(scope="module")
def labels(generator: ModelLabelGenerator) -> list[TurnLabel]:
    """Of all turns of the dialogues that were not seen."""
    return [label for of_dialogue in generator.label(turns_of(UNSEEN)) for label in of_dialogue]


TURNS = [turn for dialogue in UNSEEN for turn in dialogue.turns]
TRUTHS = [annotation for dialogue in UNSEEN for annotation in dialogue.annotations]
DEFECTS = [defect for dialogue in UNSEEN for defect in dialogue.defects]


def _share(right: Sequence[bool]) -> float:
    assert len(right) >= 20
    return sum(right) / len(right)


def _auc(told: Iterable[tuple[bool, float]]) -> float:
    """Area under the curve of truths and probabilities."""
    truths, found = zip(*told, strict=True)
    return float(roc_auc_score(truths, found))


def _intents_right(labels: Sequence[TurnLabel], *, of_more: bool) -> float:
    return _share(
        [
            label.intent == truth.intent
            for turn, label, truth in zip(TURNS, labels, TRUTHS, strict=True)
            if (MORE in turn.request.text) == of_more
        ]
    )


def test_with_its_context_a_request_means_what_the_one_before_meant(labels: list[TurnLabel]) -> None:
    assert _intents_right(labels, of_more=True) > 0.85
    assert _intents_right(labels, of_more=False) > 0.95
    assert _share([a.domain == b.domain for a, b in zip(labels, TRUTHS, strict=True)]) > 0.9


def test_without_context_it_may_mean_anything(generator_without_context: ModelLabelGenerator) -> None:
    labels = [label for one in generator_without_context.label(turns_of(UNSEEN)) for label in one]
    assert 0.3 < _intents_right(labels, of_more=True) < 0.7
    assert _intents_right(labels, of_more=False) > 0.95


def test_goals_start_with_another_wish(labels: list[TurnLabel]) -> None:
    starts = [
        before is None or before.goal_id != truth.goal_id
        for before, truth in zip([None, *TRUTHS], TRUTHS, strict=False)
    ]
    assert _share([a.goal_start == b for a, b in zip(labels, starts, strict=True)]) > 0.95


def test_success_is_learned_of_turns_before_it_is_said(labels: list[TurnLabel]) -> None:
    missed: dict[str | None, bool] = {}
    for turn, truth in zip(TURNS, TRUTHS, strict=True):
        missed[truth.goal_id] = missed.get(truth.goal_id, False) or ANGRY in turn.request.text
    told = [(missed[truth.goal_id], label) for label, truth in zip(labels, TRUTHS, strict=True)]
    assert _auc((is_missed, 1 - (label.goal_success or 0)) for is_missed, label in told) > 0.9
    angry_later = (
        (is_missed, 1 - (label.goal_success or 0))
        for (is_missed, label), turn in zip(told, TURNS, strict=True)
        if ANGRY not in turn.request.text
    )
    assert _auc(angry_later) > 0.85


def test_slots_have_their_characters_in_the_request(labels: list[TurnLabel]) -> None:
    right = []
    for turn, label, truth in zip(TURNS, labels, TRUTHS, strict=True):
        text = turn.request.text
        found = {(slot.name, slot.value.lower()) for slot in label.slots or ()}
        right.append(found == {(slot.name, slot.value) for slot in truth.slots or ()})
        assert all(text[slot.start : slot.end] == slot.value for slot in label.slots or ())
    assert _share(right) > 0.9


def test_dissatisfaction_follows_the_word(labels: list[TurnLabel]) -> None:
    for label, truth in zip(labels, TRUTHS, strict=True):
        assert (label.dialogue_satisfaction is None) == (truth.dialogue_satisfaction is None)
    of_turns = [
        (label, max(truth.satisfaction or ()) < 3) for label, truth in zip(labels, TRUTHS, strict=True)
    ]
    assert _auc((is_angry, label.dissatisfaction or 0) for label, is_angry in of_turns) > 0.97
    assert _share([((label.satisfaction or 0) < 3) == is_angry for label, is_angry in of_turns]) > 0.95
    of_dialogues = (
        (max(truth.dialogue_satisfaction) < 3, label.dialogue_dissatisfaction or 0)
        for label, truth in zip(labels, TRUTHS, strict=True)
        if truth.dialogue_satisfaction is not None
    )
    assert _auc(of_dialogues) > 0.9


def test_defects_follow_the_word_also_where_nothing_shows(labels: list[TurnLabel]) -> None:
    found = [(defect, label.defect or 0.0) for defect, label in zip(DEFECTS, labels, strict=True)]
    assert _auc(found) > 0.97
    silent = (
        one
        for one, turn in zip(found, TURNS, strict=True)
        if turn.response is not None and turn.response.status == "ok"
    )
    assert _auc(silent) > 0.9


def test_the_log_teaches_defects_and_nothing_hides_from_annotations(trained: TrainedLabels) -> None:
    space = trained.model.space
    assert set(space.tasks) == {
        "goal_start", "goal_success", "defect", "satisfaction", "dialogue_satisfaction",
        "domain", "intent", "slots",
    }  # fmt: skip
    assert trained.why_not == {}
    assert space.from_log == ("defect",)
    assert set(space.hidden) == {"defect"}


def test_what_a_label_was_made_of_is_not_read_for_it(trained: TrainedLabels) -> None:
    turns = next(dialogue.turns for dialogue in UNSEEN if len(dialogue.turns) == 3)
    hidden = trained.model.space.hidden_for("defect")
    assert hidden == {"signals", "status", "responses", "following"}
    bare = [
        turn_event(turn.request.text, event_id=turn.event_id, ts_ms=turn.ts_ms, nlu=turn.nlu)
        for turn in turns
    ]
    before = _logits(trained, turns, hidden, "defect")
    np.testing.assert_allclose(_logits(trained, bare, hidden, "defect"), before, atol=1e-5)
    np.testing.assert_allclose(_logits(trained, turns[:2], hidden, "defect"), before[:2], atol=1e-5)
    assert np.abs(_logits(trained, bare, NOTHING_HIDDEN, "defect") - before).max() > 1e-3


def test_without_context_neighbours_change_nothing(trained_without_context: TrainedLabels) -> None:
    turns = next(dialogue.turns for dialogue in UNSEEN if len(dialogue.turns) >= 4)
    together = _logits(trained_without_context, turns, NO_CONTEXT, "intent")
    for turn, expected in zip(turns, together, strict=True):
        alone = _logits(trained_without_context, [turn], NO_CONTEXT, "intent")
        np.testing.assert_allclose(alone[0], expected, atol=1e-5)


def test_a_label_that_nothing_teaches_is_not_trained(
    trained_without_context: TrainedLabels, generator_without_context: ModelLabelGenerator
) -> None:
    assert trained_without_context.model.space.tasks == ("intent",)
    assert trained_without_context.why_not == dict.fromkeys(
        (
            "goal_start", "goal_success", "defect", "satisfaction", "dialogue_satisfaction",
            "domain", "slots",
        ),
        "no annotation says it",
    )  # fmt: skip
    assert generator_without_context.description.why_not == trained_without_context.why_not
    (labels,) = generator_without_context.label([UNSEEN[0].turns])
    assert {name for label in labels for name in label.confidence} == {"intent"}
    assert all(
        label.slots is label.defect is label.goal_success is label.satisfaction is None for label in labels
    )


def test_dialogues_that_are_held_back_are_not_learned_from(trained: TrainedLabels) -> None:
    world = label_dialogues(400)
    held = {dialogue.turns[0].event_id for dialogue in trained.held_back}
    assert len(held) >= HELD_BACK * len(world)
    n_held = sum(len(dialogue.turns) for dialogue in trained.held_back)
    assert 300 <= n_held < 350
    assert trained.turns == sum(len(dialogue.turns) for dialogue in world) - n_held


def test_before_any_label_it_learns_which_responses_belong_where_they_are(world_base: Path) -> None:
    world = label_dialogues(300, seed=3)
    settings = LabelTraining(
        base=str(world_base), layers=None, epochs=0, pretraining_epochs=8, learning_rate=3e-3, batch_turns=32
    )
    trained = train_label_model(turns_of(world), annotations_of(world, "intent"), training=settings)
    assert _own_told_from_swapped(trained) > 0.8
    untrained = train_label_model(
        turns_of(world),
        annotations_of(world, "intent"),
        training=LabelTraining(base=str(world_base), layers=None, epochs=0, pretraining_epochs=0),
    )
    assert _own_told_from_swapped(untrained) < 0.7


def _own_told_from_swapped(trained: TrainedLabels) -> float:
    """Area under the curve: of the first turns, with their own response and with one about something else."""
    told = []
    for turns in turns_of(UNSEEN):
        said = (turns[0].response.text if turns[0].response else None) or ""
        for other in (said, "dimming the hall" if said.startswith("playing") else "playing jazz"):
            example = DialogueExample(
                turns, frozenset[Part](["status", "understanding"]), responses={0: other}
            )
            with torch.no_grad():
                encoded = encode(trained.model, trained.tokenizer, [example], CPU)
                logit = float(trained.model.fits(encoded.dialogues[0, 0]))
            if not said.startswith("sorry"):
                told.append((other != said, logit))
    return _auc(told)


def _weights(base: Path, seed: int = 1, **changes: int) -> dict[str, torch.Tensor]:
    world = label_dialogues(40)
    settings = LabelTraining(
        base=str(base), layers=None, epochs=1, seed=seed, **{"pretraining_epochs": 1, **changes}
    )
    state = torch.random.get_rng_state()
    trained = train_label_model(turns_of(world), annotations_of(world), weak_labels_of(world), settings)
    assert torch.equal(state, torch.random.get_rng_state())
    return trained.model.state_dict()


def test_the_same_arguments_give_the_same_weights(world_base: Path) -> None:
    first, second, other = _weights(world_base), _weights(world_base), _weights(world_base, seed=2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_words_stay_as_they_come(world_base: Path, trained: TrainedLabels) -> None:
    from transformers import AutoModel

    started = AutoModel.from_pretrained(world_base).get_input_embeddings().weight
    learned = trained.model.turns.transformer.get_input_embeddings().weight  # type: ignore[operator,union-attr]  # a transformer has them
    assert torch.equal(started, learned)


def test_steps_are_told(world_base: Path) -> None:
    world = label_dialogues(60)
    told: list[tuple[str, int, int]] = []
    train_label_model(
        turns_of(world),
        annotations_of(world, "intent"),
        training=LabelTraining(base=str(world_base), layers=1, epochs=1, most_turns=60, batch_turns=20),
        progress=lambda *step: told.append(step),
    )
    stages = list(dict.fromkeys(stage for stage, _, _ in told))
    assert stages == ["which responses fit", "labels"]
    for stage in stages:
        steps = [(done, total) for name, done, total in told if name == stage]
        assert steps == [(number, len(steps)) for number in range(1, len(steps) + 1)]
        assert len(steps) == 3  # 60 turns of an epoch, 20 at a time


def test_few_turns_are_read_more_often(world_base: Path) -> None:
    world = label_dialogues(30)

    def passes(least_read: int) -> tuple[int, int]:
        """How many, and how many turns each has."""
        steps: list[int] = []
        trained = train_label_model(
            turns_of(world),
            annotations_of(world, "intent"),
            training=LabelTraining(
                base=str(world_base),
                layers=1,
                epochs=1,
                pretraining_epochs=0,
                batch_turns=10_000,  # all of a pass
                least_read=least_read,
            ),
            progress=lambda _, done, total: steps.append(total),
        )
        return len(steps), trained.turns

    once, n_turns = passes(0)
    assert once == 1
    assert passes(3 * n_turns - 1)[0] == 3
    assert passes(10**9)[0] == MOST_EPOCHS


def test_long_dialogues_and_logs_without_responses_are_learned_from(world_base: Path) -> None:
    long = [
        [
            turn_event(f"play jazz {number % 2}", event_id=f"{name}{number}")
            for number in range(3 * WINDOW_TURNS)
        ]
        for name in "abc"
    ]
    annotations = {
        EventId(turn.event_id): Annotation(event_id=turn.event_id, correct=turn.request.text.endswith("0"))
        for turns in long
        for turn in turns
    }
    trained = train_label_model(
        long, annotations, training=LabelTraining(base=str(world_base), layers=1, epochs=1)
    )
    assert trained.model.space.tasks == ("defect",)
    assert len(trained.held_back) == 1
    assert trained.turns == 2 * 3 * WINDOW_TURNS


def test_nothing_to_learn_is_an_error_that_says_why(world_base: Path) -> None:
    world = label_dialogues(5)
    settings = LabelTraining(base=str(world_base), layers=1)
    few = sum(len(dialogue.turns) for dialogue in world)
    with pytest.raises(LabelTrainingError, match=f"intent: {few} turns are annotated, 50 are needed"):
        train_label_model(turns_of(world), annotations_of(world), training=settings)
    with pytest.raises(LabelTrainingError, match="defect: no annotation says it"):
        train_label_model([], {}, training=settings)


def _one_long_dialogue() -> tuple[list[TurnEvent], dict[EventId, Annotation]]:
    turns = [turn_event(f"play jazz {number % 2}", event_id=str(number)) for number in range(60)]
    return turns, {
        EventId(turn.event_id): Annotation(event_id=turn.event_id, correct=number % 2 == 0)
        for number, turn in enumerate(turns)
    }


def test_one_dialogue_is_too_few(world_base: Path) -> None:
    turns, annotations = _one_long_dialogue()
    with pytest.raises(LabelTrainingError, match="there are 1 dialogues"):
        train_label_model([turns], annotations, training=LabelTraining(base=str(world_base), layers=1))


@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_has_labels_only_where_it_is_held_back_is_refused(world_base: Path, seed: int) -> None:
    held_back = int(np.random.default_rng(seed).permutation(2)[0])
    turns, annotations = _one_long_dialogue()
    dialogues = [turns, [turn_event("hello", event_id="other")]]
    settings = LabelTraining(base=str(world_base), layers=1, epochs=0, pretraining_epochs=0, seed=seed)
    if held_back == 1:
        train_label_model(dialogues, annotations, training=settings)
    else:
        with pytest.raises(LabelTrainingError, match="annotate more of them"):
            train_label_model(dialogues, annotations, training=settings)


def test_an_unknown_base_or_device_is_named(world_base: Path, tiny_base: Path) -> None:
    turns, annotations = _one_long_dialogue()
    dialogues = [turns, turns[:1]]
    for error, match, settings in [
        (EncoderBaseError, "no-such-model", LabelTraining(base=str(world_base / "no-such-model"))),
        (EncoderTrainingError, "no device 'abacus'", LabelTraining(base=str(world_base), device="abacus")),
        (EncoderTrainingError, "layers is 3", LabelTraining(base=str(world_base))),
        (EncoderTrainingError, f"max_tokens is {MOST_TOKENS}", LabelTraining(base=str(tiny_base), layers=1)),
    ]:
        with pytest.raises(error, match=match):
            train_label_model(dialogues, annotations, training=settings)


def test_settings_choose_the_training() -> None:
    small = LabelTraining.of(LabelSettings(base="b", seed=3, context=False, device="auto"))
    assert (small.base, small.layers, small.context, small.seed, small.device) == ("b", 3, False, 3, "auto")
    assert (small.most_turns, small.pretraining_epochs) == (20_000, 1)
    full = LabelTraining.of(LabelSettings(preset="full", pretrain=False))
    assert (full.layers, full.most_turns, full.pretraining_epochs) == (None, None, 0)
    assert full.epochs > small.epochs
    assert LabelTraining.of(LabelSettings(most_turns=500)).most_turns == 500
    assert full.least_read == 0 < small.least_read
    chosen = LabelTraining.of(LabelSettings(passes=7))
    assert (chosen.epochs, chosen.least_read) == (7, 0)
