"""The exported model as it reads dialogues: what is hidden stays unread; long ones are read in windows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from label_world import label_dialogues, turns_of
from turns import turn_event

from labeling.labels.generator import TURNS, ModelLabelGenerator
from labeling.labels.reader import LabelReader, TurnLogits
from labeling.labels.training import TrainedLabels
from labeling.turns.dialogue_model import DialogueModel
from labeling.turns.dialogue_part import Part
from labeling.turns.windows import WINDOW
from streams.turn import (
    Device,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Signals,
    TurnEvent,
)

WORLD = label_dialogues(60, seed=5)


def _reader(artifact: Path, generator: ModelLabelGenerator, hidden: Sequence[Part] = ()) -> LabelReader:
    """The model, with parts hidden for the intent alone."""
    space = msgspec.structs.replace(generator.description.space, hidden={"intent": tuple(hidden)})
    return LabelReader(
        DialogueModel.open(artifact, TURNS),
        generator.description.features,
        space,
        context=True,
    )


def _intents(reader: LabelReader, turns: Sequence[TurnEvent]) -> np.ndarray:  # type: ignore[type-arg]  # of floats
    return np.stack([logits.values["intent"] for logits in reader.read(turns)])


def _replaced(**changes: object) -> Callable[[Sequence[TurnEvent]], list[TurnEvent]]:
    return lambda turns: [msgspec.structs.replace(turn, **changes) for turn in turns]


# Each changes a part of all turns, and nothing else.
CHANGES: dict[Part, Callable[[Sequence[TurnEvent]], list[TurnEvent]]] = {
    "signals": _replaced(signals=Signals(barge_in=True, terminated=True, feedback="negative")),
    "status": lambda turns: [
        msgspec.structs.replace(
            turn, response=Response(text=turn.response.text if turn.response else None, status="no_result")
        )
        for turn in turns
    ],
    "responses": lambda turns: [
        msgspec.structs.replace(
            turn,
            response=Response(
                text="what do you mean", status=turn.response.status if turn.response else None
            ),
        )
        for turn in turns
    ],
    "understanding": _replaced(nlu=(NluHypothesis(domain="d", intent="i1", confidence=0.5),)),
    "recognition": lambda turns: [
        msgspec.structs.replace(
            turn, request=Request(text=turn.request.text, asr=(Recognition(text="x", confidence=0.3),))
        )
        for turn in turns
    ],
    "time": lambda turns: [
        msgspec.structs.replace(turn, ts_ms=1_000 + 700_000 * number) for number, turn in enumerate(turns)
    ],
    "device": _replaced(device=Device(type="watch"), locale="fr-FR"),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_part_that_is_hidden_changes_no_logit(
    artifact: Path, generator: ModelLabelGenerator, part: Part
) -> None:
    reader = _reader(artifact, generator, [part])
    for turns in turns_of(WORLD[:3]):
        changed = CHANGES[part](turns)
        assert changed != list(turns)
        np.testing.assert_array_equal(_intents(reader, changed), _intents(reader, turns))
    if part not in ("device", "recognition"):  # the world has neither, so that nothing was learned of them
        other = _reader(artifact, generator)
        assert np.abs(_intents(other, changed) - _intents(other, turns)).max() > 1e-4


@pytest.mark.parametrize("part", ["preceding", "following"])
def test_turns_that_are_hidden_change_no_logit(
    artifact: Path, generator: ModelLabelGenerator, part: Part
) -> None:
    reader = _reader(artifact, generator, [part])
    turns = list(next(dialogue.turns for dialogue in WORLD if len(dialogue.turns) >= 4))
    stranger = turn_event("and now for something else", ts_ms=1)
    more = [stranger, *turns] if part == "preceding" else [*turns, stranger]
    kept = slice(1, None) if part == "preceding" else slice(-1)
    np.testing.assert_allclose(_intents(reader, more)[kept], _intents(reader, turns), atol=1e-5)
    visible = _reader(artifact, generator)
    assert np.abs(_intents(visible, more)[kept] - _intents(visible, turns)).max() > 1e-3


def test_every_part_is_tried() -> None:
    # What likeness stands for cannot change while the texts stay.
    assert {*CHANGES, "preceding", "following", "likeness"} == set(get_args(Part))


def _equal(first: Sequence[TurnLogits], second: Sequence[TurnLogits], atol: float = 0) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.offsets == other.offsets
        for task, logits in one.values.items():
            np.testing.assert_allclose(other.values[task], logits, rtol=0, atol=atol)
        assert one.tags is not None
        assert other.tags is not None
        np.testing.assert_allclose(other.tags, one.tags, rtol=0, atol=atol)


def test_what_was_read_before_changes_nothing(artifact: Path, generator: ModelLabelGenerator) -> None:
    reader = _reader(artifact, generator)
    first = [reader.read(turns) for turns in turns_of(WORLD[:10])]
    for turns, expected in list(zip(turns_of(WORLD[:10]), first, strict=True))[::-1]:
        _equal(reader.read(turns), expected)
        _equal(_reader(artifact, generator).read(turns), expected)


def test_tags_are_those_of_the_tokens_of_each_request(artifact: Path, generator: ModelLabelGenerator) -> None:
    turns = [turn_event(""), turn_event("play jazz"), turn_event(""), turn_event("x " * 5_000)]
    found = _reader(artifact, generator).read(turns)
    assert [len(logits.offsets) for logits in found] == [0, 2, 0, 64]
    for logits in found:
        assert logits.tags is not None
        assert logits.tags.shape == (len(logits.offsets), 5)
        assert all(np.isfinite(one).all() for one in (*logits.values.values(), logits.tags))


@pytest.mark.parametrize("n_turns", [0, 1, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + 24, 3 * WINDOW])
def test_every_turn_is_read_once_however_many_there_are(
    artifact: Path, generator: ModelLabelGenerator, n_turns: int
) -> None:
    turns = [turn for dialogue in WORLD for turn in dialogue.turns][:n_turns]
    assert len(turns) == n_turns
    found = _reader(artifact, generator).read(turns)
    assert len(found) == n_turns
    tasks = set(generator.description.space.tasks) - {"slots"}
    assert all(set(logits.values) == tasks and logits.tags is not None for logits in found)


@pytest.mark.parametrize("position", [1, 24, 35, 36, 37, 47, 48, 59, 60, 61, 98])
def test_each_turn_of_a_long_dialogue_is_read_with_its_neighbours(
    artifact: Path, generator: ModelLabelGenerator, position: int
) -> None:
    turns = [turn for dialogue in WORLD for turn in dialogue.turns][:100]
    changed = list(turns)
    changed[position] = turn_event("awful mumble", event_id="changed")
    reader = _reader(artifact, generator)
    moved = np.abs(_intents(reader, changed) - _intents(reader, turns)).max(axis=-1)  # (turns,)
    assert (moved[position - 1 : position + 2] > 1e-4).all()
    assert (moved[position + WINDOW :] == 0).all()


def test_the_reader_uses_the_tokens_of_the_training(trained: TrainedLabels, artifact: Path) -> None:
    loaded = DialogueModel.open(artifact, TURNS).tokenizer
    for turn in WORLD[0].turns:
        expected = trained.tokenizer.tokens(turn.request.text, "playing jazz")
        assert loaded.tokens(turn.request.text, "playing jazz") == expected
