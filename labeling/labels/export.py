"""The label model as an artifact that `ModelLabelGenerator` reads: two ONNX files, tokenizer, description.

The model is calibrated on the dialogues that were held back, by the very files that are used afterwards.
"""

from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn
from torch.export import Dim

from labeling.labels.calibration import calibrate
from labeling.labels.decision import decide
from labeling.labels.generator import KIND, TURNS, LabelDescription
from labeling.labels.model import LabelModel, SlotHead
from labeling.labels.reader import LabelReader
from labeling.labels.thresholds import label_thresholds
from labeling.labels.training import TrainedLabels
from labeling.models.artifact import Manifest, write_artifact
from labeling.models.onnx_export import OnnxInput, token_inputs, write_onnx
from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME
from labeling.turns.dialogue_layer import WIDTH
from labeling.turns.dialogue_model import DIALOGUES, DialogueModel
from labeling.turns.inputs import TurnInputs
from labeling.turns.onnx_inputs import EXAMPLE_TURNS, turn_onnx_inputs
from labeling.turns.tokenizer import MOST_TOKENS
from labeling.turns.windows import WINDOW


def export_label_model(
    trained: TrainedLabels, folder: Path, *, precision: float, quantised: bool = True
) -> Manifest:
    """Writes a trained label model.

    Args:
        trained: with what was held back.
        folder: of the artifact.
        precision: wanted share of right labels among those that are not abstained from, 0..1.
        quantised: whether the turn encoder has 8-bit weights.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    model = trained.model

    def write(partial: Path) -> None:
        write_onnx(
            _Turns(model),
            token_inputs(("input_ids", "segments"), MOST_TOKENS),
            partial / TURNS,
            quantised=quantised,
            outputs=("states", "vectors"),
        )
        slots = model.slots
        write_onnx(
            _Dialogues(model) if slots is None else _DialoguesWithSlots(model, slots),
            _dialogue_inputs(model.turns.width, with_slots=slots is not None),
            partial / DIALOGUES,
            quantised=False,
            outputs=("turns",) if slots is None else ("turns", "tags"),
        )
        trained.tokenizer.save(partial / TOKENIZER_NAME)
        reader = LabelReader(
            DialogueModel.open(partial, TURNS), model.features, model.space, context=trained.training.context
        )
        logits = [reader.read(dialogue.turns) for dialogue in trained.held_back]
        calibration = calibrate(model.space, trained.held_back, logits)
        labels = [
            decide(dialogue.turns, of_dialogue, model.space, calibration)
            for dialogue, of_dialogue in zip(trained.held_back, logits, strict=True)
        ]
        targets = [dialogue.targets for dialogue in trained.held_back]
        description = LabelDescription(
            space=model.space,
            features=model.features,
            calibration=msgspec.structs.replace(
                calibration, thresholds=label_thresholds(labels, targets, model.space, precision)
            ),
            context=trained.training.context,
            base=trained.base,
            quantised=quantised,
            why_not=trained.why_not,
        )
        (partial / DESCRIPTION_NAME).write_bytes(msgspec.json.encode(description))

    facts: dict[str, int | float | str] = {"turns": trained.turns, "base": trained.base}
    return write_artifact(folder, KIND, write, facts=facts)


class _Turns(nn.Module):
    """The turn encoder for turns of one length: nothing is padded."""

    def __init__(self, model: LabelModel) -> None:
        super().__init__()
        self.turns = model.turns

    def forward(self, input_ids: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
        states, vectors = self.turns(input_ids, segments, torch.ones_like(input_ids))
        return states, vectors


class _Dialogues(nn.Module):
    """The dialogue encoder and the heads of turns, side by side."""

    def __init__(self, model: LabelModel) -> None:
        super().__init__()
        self.model = model

    def encoded(self, texts: Tensor, inputs: TurnInputs) -> tuple[Tensor, Tensor]:
        """Vectors of the turns, and all their logits."""
        turns = self.model.dialogues(texts, inputs)
        of_tasks = self.model.logits(turns, inputs.seen)
        return turns, torch.cat(list(of_tasks.values()) or [turns[..., :1]], dim=-1)

    def forward(
        self,
        texts: Tensor,
        categories: Tensor,
        numbers: Tensor,
        distances: Tensor,
        gaps: Tensor,
        seen: Tensor,
    ) -> Tensor:
        return self.encoded(texts, TurnInputs(categories, numbers, distances, gaps, seen))[1]


class _DialoguesWithSlots(_Dialogues):
    """The same, and the tags of tokens."""

    def __init__(self, model: LabelModel, slots: SlotHead) -> None:
        super().__init__(model)
        self.slots = slots

    def forward(  # type: ignore[override]  # it reads the tokens, too
        self,
        texts: Tensor,
        categories: Tensor,
        numbers: Tensor,
        distances: Tensor,
        gaps: Tensor,
        seen: Tensor,
        states: Tensor,
        turn_of: Tensor,
    ) -> tuple[Tensor, Tensor]:
        turns, logits = self.encoded(texts, TurnInputs(categories, numbers, distances, gaps, seen))
        return logits, self.slots(states, turns.reshape(-1, WIDTH)[turn_of])


def _dialogue_inputs(text_width: int, *, with_slots: bool) -> list[OnnxInput]:
    n = EXAMPLE_TURNS
    turns = Dim("turns", max=WINDOW)
    inputs = [
        OnnxInput("texts", torch.zeros((1, n, 2 * text_width)), {1: turns}),
        *turn_onnx_inputs(turns),
    ]
    if with_slots:
        tokens = Dim("tokens")
        inputs += [
            OnnxInput("states", torch.zeros((11, text_width)), {0: tokens}),
            OnnxInput("turn_of", torch.zeros(11, dtype=torch.long), {0: tokens}),
        ]
    return inputs
