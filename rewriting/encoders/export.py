"""Encoders as artifacts that serving reads: ONNX, in 32-bit floats or with 8-bit weights.

8-bit weights make an encoder some three times faster. A pair encoder's scores then move by 0.01 on average
and keep their order but for near ties (correlation 0.998). Text vectors turn by a cosine of 0.99, which
changes one in ten of a text's ten nearest neighbours. So pairs are quantised by default, and texts are not.
"""

from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn

from labeling.models.artifact import Manifest, write_artifact
from labeling.models.encoder_base import EncoderBase, load_base
from labeling.models.onnx_export import token_inputs, write_onnx
from labeling.models.onnx_model import DESCRIPTION_NAME, MODEL_NAME, TOKENIZER_NAME
from rewriting.encoders.model import PairEncoderModel, TextEncoderModel
from rewriting.encoders.text_encoder import PAIR_ENCODER, TEXT_ENCODER, EncoderDescription


def export_text_encoder(model: TextEncoderModel, folder: Path, *, quantised: bool = False) -> Manifest:
    """Writes a text encoder for `TextEncoder.load`, with 8-bit weights if `quantised`.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    return _export(
        _Unpadded(model), model.base, model.dimension, ["input_ids"], folder, TEXT_ENCODER, quantised
    )


def export_pair_encoder(model: PairEncoderModel, folder: Path, *, quantised: bool = True) -> Manifest:
    """Writes a pair encoder for `PairEncoder.load`, with 8-bit weights if `quantised`.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    return _export(_Scored(model), model.base, 1, inputs, folder, PAIR_ENCODER, quantised)


def export_encoder(base: str | Path | None, folder: Path, *, layers: int | None = None) -> Manifest:
    """Writes a text encoder as it is before any training; arguments as for `load_base`.

    Raises:
        EncoderBaseError: there is no such model.
        ArtifactError: something else lies at `folder`.
    """
    return export_text_encoder(TextEncoderModel(load_base(base, layers=layers)), folder)


class _Unpadded(nn.Module):
    """A text encoder for texts of one length: without a mask, there is no padding to be mistaken for text."""

    def __init__(self, model: TextEncoderModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> Tensor:
        vectors: Tensor = self.model(input_ids)
        return vectors


class _Scored(nn.Module):
    """A pair encoder that returns probabilities."""

    def __init__(self, model: PairEncoderModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        return torch.sigmoid(self.model(input_ids, attention_mask, token_type_ids))


def _export(
    model: nn.Module,
    base: EncoderBase,
    dimension: int,
    inputs: list[str],
    folder: Path,
    kind: str,
    quantised: bool,
) -> Manifest:
    description = EncoderDescription(
        dimension=dimension,
        max_tokens=base.max_tokens,
        pooling="mean",
        base=base.name,
        quantised=quantised,
    )

    def write(partial: Path) -> None:
        write_onnx(model, token_inputs(inputs, base.max_tokens), partial / MODEL_NAME, quantised=quantised)
        base.tokenizer.save(partial / TOKENIZER_NAME)
        (partial / DESCRIPTION_NAME).write_bytes(msgspec.json.encode(description))

    return write_artifact(folder, kind, write, facts={"dimension": dimension, "base": base.name})
