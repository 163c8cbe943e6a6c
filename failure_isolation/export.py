"""The failure model as an artifact that `ModelFailureIsolator` reads.

Two ONNX files, the tokenizer, a description. The model is calibrated on the dialogues that were held back, by
the very files that are used afterwards.
"""

from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from failure_isolation.calibration import calibrate
from failure_isolation.isolator import KIND, TEXTS, FailureDescription
from failure_isolation.model import READERS, VECTORS, FailureInputs, FailureModel
from failure_isolation.reader import FailureReader
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.trace_item import INTERPRETATIONS, PLACES
from failure_isolation.trace_item import NUMBERS as ITEM_NUMBERS
from failure_isolation.training import TOKENS, TrainedFailures
from labeling.models.artifact import Manifest, write_artifact
from labeling.models.onnx_export import OnnxInput, token_inputs, write_onnx
from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME
from labeling.turns.dialogue_model import DIALOGUES, DialogueModel
from labeling.turns.inputs import TurnInputs
from labeling.turns.onnx_inputs import EXAMPLE_TURNS, turn_onnx_inputs
from labeling.turns.windows import WINDOW


def export_failure_model(
    trained: TrainedFailures, folder: Path, *, coverage: float = 0.9, quantised: bool = True
) -> Manifest:
    """Writes a trained failure model.

    Args:
        trained: with what was held back.
        folder: of the artifact.
        coverage: wanted share of turns for which the model does not abstain, 0..1.
        quantised: whether the text encoder has 8-bit weights.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    model = trained.model
    hidden = trained.training.hidden

    def write(partial: Path) -> None:
        write_onnx(
            _Texts(model),
            token_inputs(("input_ids", "segments"), TOKENS),
            partial / TEXTS,
            quantised=quantised,
            outputs=("vectors",),
        )
        write_onnx(
            _Dialogues(model), _dialogue_inputs(model.texts.width), partial / DIALOGUES, quantised=False
        )
        trained.tokenizer.save(partial / TOKENIZER_NAME)
        reader = FailureReader(DialogueModel.open(partial, TEXTS), model.features, hidden)
        logits, classes = [np.zeros((0, READERS, len(FAILURE_POINTS)), dtype=np.float32)], []
        for dialogue in trained.held_back:
            of_dialogue = reader.read(dialogue.turns)
            known = [row for row, point in enumerate(dialogue.known) if point is not None]
            logits.append(of_dialogue[known])
            classes += [FAILURE_POINTS.index(point) for point in dialogue.known if point is not None]
        description = FailureDescription(
            features=model.features,
            calibration=calibrate(
                np.concatenate(logits), np.array(classes, dtype=np.int64), trained.class_weights, coverage
            ),
            hidden=tuple(sorted(hidden)),
            base=trained.base,
            quantised=quantised,
        )
        (partial / DESCRIPTION_NAME).write_bytes(msgspec.json.encode(description))

    facts: dict[str, int | float | str] = {"turns": trained.turns, "base": trained.base}
    return write_artifact(folder, KIND, write, facts=facts)


class _Texts(nn.Module):
    """The text encoder for turns of one length: nothing is padded."""

    def __init__(self, model: FailureModel) -> None:
        super().__init__()
        self.texts = model.texts

    def forward(self, input_ids: Tensor, segments: Tensor) -> Tensor:
        vectors: Tensor = self.texts(input_ids, segments, torch.ones_like(input_ids))
        return vectors


class _Dialogues(nn.Module):
    """All above it, with its inputs one by one."""

    def __init__(self, model: FailureModel) -> None:
        super().__init__()
        self.model = model

    def forward(
        self,
        vectors: Tensor,
        categories: Tensor,
        numbers: Tensor,
        distances: Tensor,
        gaps: Tensor,
        seen: Tensor,
        items: Tensor,
        items_there: Tensor,
        meant: Tensor,
    ) -> Tensor:
        turns = TurnInputs(categories, numbers, distances, gaps, seen)
        logits: Tensor = self.model(vectors, FailureInputs(turns, items, items_there, meant))
        return logits


def _dialogue_inputs(text_width: int) -> list[OnnxInput]:
    n = EXAMPLE_TURNS
    turns = Dim("turns", max=WINDOW)
    return [
        OnnxInput("vectors", torch.zeros((1, n, VECTORS, text_width)), {1: turns}),
        *turn_onnx_inputs(turns),
        OnnxInput("items", torch.zeros((1, n, PLACES, ITEM_NUMBERS)), {1: turns}),
        OnnxInput("items_there", torch.ones((1, n, PLACES), dtype=torch.bool), {1: turns}),
        OnnxInput("meant", torch.ones((1, n, INTERPRETATIONS), dtype=torch.long), {1: turns}),
    ]
