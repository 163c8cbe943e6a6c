"""The artifact says what the trained model says, and is calibrated on what was held back."""

from pathlib import Path

import msgspec
import numpy as np
import torch
from label_world import label_dialogues, turns_of
from turns import turn_event

from labeling.labels.batch import DialogueExample, encode
from labeling.labels.generator import (
    KIND,
    TURNS,
    LabelDescription,
    ModelLabelGenerator,
)
from labeling.labels.reader import LabelReader
from labeling.labels.space import space_views
from labeling.labels.thresholds import NEVER, label_thresholds
from labeling.labels.training import TrainedLabels
from labeling.models.artifact import verify_artifact
from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME
from labeling.turns.dialogue_model import DIALOGUES, DialogueModel

CPU = torch.device("cpu")
UNSEEN = [
    *turns_of(label_dialogues(12, seed=4)),
    [turn_event("", ts_ms=0), turn_event("播放 <s> jazz " * 50), turn_event("more please", event_id="m")],
]


def test_torch_and_the_artifact_give_the_same_logits(trained: TrainedLabels, artifact: Path) -> None:
    model = trained.model
    reader = LabelReader(
        DialogueModel.open(artifact, TURNS),
        model.features,
        model.space,
        context=True,
    )
    assert model.slots is not None
    for turns in UNSEEN:
        found = reader.read(turns)
        for hidden, tasks in space_views(model.space):
            with torch.no_grad():
                encoded = encode(model, trained.tokenizer, [DialogueExample(turns, hidden)], CPU)
                expected = model.logits(encoded.dialogues, encoded.seen)
            for position, logits in enumerate(found):
                for task in tasks:
                    if task == "slots":
                        number = encoded.text_of[0][position]
                        tokens = encoded.tokens[number]
                        states = encoded.states[number][tokens.request]
                        of_turn = encoded.dialogues[0, [position] * len(tokens.offsets)]
                        with torch.no_grad():
                            tags = model.slots(states, of_turn).numpy()
                        assert logits.tags is not None
                        assert logits.offsets == tokens.offsets
                        np.testing.assert_allclose(logits.tags, tags, rtol=0, atol=1e-4)
                    else:
                        np.testing.assert_allclose(
                            logits.values[task], expected[task][0, position].numpy(), rtol=0, atol=1e-4
                        )


def test_the_artifact_is_described(trained: TrainedLabels, artifact: Path) -> None:
    manifest = verify_artifact(artifact, KIND)
    assert manifest.facts == {"turns": trained.turns, "base": "world"}
    assert {path.name for path in artifact.iterdir()} == {
        "manifest.json", TURNS, DIALOGUES, TOKENIZER_NAME, DESCRIPTION_NAME,
    }  # fmt: skip
    description = msgspec.json.decode((artifact / DESCRIPTION_NAME).read_bytes(), type=LabelDescription)
    assert description.space == trained.model.space
    assert description.features == trained.model.features
    assert (description.context, description.base, description.quantised) == (True, "world", False)


def test_thresholds_keep_the_precision_on_what_was_held_back(
    trained: TrainedLabels, generator: ModelLabelGenerator
) -> None:
    labels = generator.label([dialogue.turns for dialogue in trained.held_back])
    targets = [dialogue.targets for dialogue in trained.held_back]
    calibration = generator.description.calibration
    assert set(calibration.scales) == set(trained.model.space.tasks)
    assert calibration.thresholds == label_thresholds(labels, targets, trained.model.space, 0.9)
    assert calibration.defects is not None
    assert 0 < calibration.defects.silent < 0.5  # in truth a fifth
    for of_dialogue in labels:
        for label in of_dialogue:
            below = {task for task, sure in label.confidence.items() if sure < calibration.thresholds[task]}
            assert set(label.abstained) == below


def test_a_higher_precision_is_paid_for_with_labels(
    trained_without_context: TrainedLabels, generator_without_context: ModelLabelGenerator
) -> None:
    # Half of the requests mean one thing or another by chance, so that not all intents can be right.
    held_back = trained_without_context.held_back
    labels = generator_without_context.label([dialogue.turns for dialogue in held_back])
    space = generator_without_context.description.space
    targets = [dialogue.targets for dialogue in held_back]
    given = {}
    for precision in (0.5, 0.95):
        least = label_thresholds(labels, targets, space, precision)["intent"]
        assert least < NEVER
        right = [
            space.intents[target.classes["intent"]] == label.intent
            for of_dialogue, known in zip(labels, targets, strict=True)
            for label, target in zip(of_dialogue, known, strict=True)
            if label.confidence["intent"] >= least
        ]
        assert sum(right) / len(right) >= precision
        given[precision] = len(right)
    assert given[0.5] == sum(map(len, labels))
    assert 0.2 * given[0.5] < given[0.95] < 0.8 * given[0.5]
