"""Encoders as artifacts that serving reads: ONNX, 32-bit floats."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch
from torch import Tensor, nn
from torch.export import Dim

from rewriting.artifact import Manifest, write_artifact
from rewriting.encoder_model import EncoderBase, PairEncoderModel, TextEncoderModel, load_base
from rewriting.text_encoder import (
    DESCRIPTION_NAME,
    MODEL_NAME,
    PAIR_ENCODER,
    TEXT_ENCODER,
    TOKENIZER_NAME,
    EncoderDescription,
)

OPSET = 20
"""Of ONNX: the first with GELU as one operator; layer normalisation is one from 17. ONNX Runtime reads it
since 1.17."""


def export_text_encoder(model: TextEncoderModel, folder: Path) -> Manifest:
    """Writes a text encoder for `TextEncoder.load`.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    return _export(_Unpadded(model), model.base, model.dimension, ["input_ids"], folder, TEXT_ENCODER)


def export_pair_encoder(model: PairEncoderModel, folder: Path) -> Manifest:
    """Writes a pair encoder for `PairEncoder.load`.

    Raises:
        ArtifactError: something else lies at `folder`.
    """
    inputs = ["input_ids", "attention_mask", "token_type_ids"]
    return _export(_Scored(model), model.base, 1, inputs, folder, PAIR_ENCODER)


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
    model: nn.Module, base: EncoderBase, dimension: int, inputs: list[str], folder: Path, kind: str
) -> Manifest:
    description = EncoderDescription(
        dimension=dimension, max_tokens=base.max_tokens, pooling="mean", base=base.name
    )
    model = model.cpu().eval()
    # 3 rows of 7 tokens stand for any number of either: the exporter takes 0 and 1 for constants.
    example = tuple(torch.ones((3, 7), dtype=torch.long) for _ in inputs)

    def write(partial: Path) -> None:
        with _quiet(), torch.no_grad():
            program = torch.onnx.export(
                model,
                example,
                input_names=inputs,
                output_names=["output"],
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=tuple(
                    {0: Dim("batch"), 1: Dim("tokens", max=base.max_tokens)} for _ in inputs
                ),
            )
            if program is not None:
                program.save(partial / MODEL_NAME)
        base.tokenizer.save(partial / TOKENIZER_NAME)
        (partial / DESCRIPTION_NAME).write_bytes(msgspec.json.encode(description))

    return write_artifact(folder, kind, write, facts={"dimension": dimension, "base": base.name})


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports its steps on standard output, and warns of its own use of what is deprecated."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
