"""Encoders as artifacts that serving reads: ONNX, in 32-bit floats or with 8-bit weights.

8-bit weights make an encoder some three times faster. A pair encoder's scores then move by 0.01 on average
and keep their order but for near ties (correlation 0.998). Text vectors turn by a cosine of 0.99, which
changes one in ten of a text's ten nearest neighbours. So pairs are quantised by default, and texts are not.
"""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
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
        write_onnx(model, inputs, base.max_tokens, partial / MODEL_NAME, quantised=quantised)
        base.tokenizer.save(partial / TOKENIZER_NAME)
        (partial / DESCRIPTION_NAME).write_bytes(msgspec.json.encode(description))

    return write_artifact(folder, kind, write, facts={"dimension": dimension, "base": base.name})


def write_onnx(
    model: nn.Module, inputs: Sequence[str], max_tokens: int, path: Path, *, quantised: bool
) -> None:
    """Writes a model whose inputs are all (batch, tokens) integers, and whose output is called `output`.

    Args:
        model: moved to the CPU here.
        inputs: names, in the order of its arguments.
        max_tokens: of a sequence.
        path: of the file.
        quantised: whether with 8-bit weights.
    """
    model = model.cpu().eval()
    # 3 rows of 7 tokens stand for any number of either: the exporter takes 0 and 1 for constants.
    example = tuple(torch.ones((3, 7), dtype=torch.long) for _ in inputs)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            model,
            example,
            input_names=list(inputs),
            output_names=["output"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple({0: Dim("batch"), 1: Dim("tokens", max=max_tokens)} for _ in inputs),
        )
        if program is not None:
            program.save(path)
        if quantised:
            _quantise(path)


def _quantise(path: Path) -> None:
    """Replaces the weights of a model by 8-bit ones, with a scale for each row of each matrix."""
    model = onnx.load(path)
    del model.graph.value_info[:]  # the exporter's shapes contradict those that the quantiser infers
    quantize_dynamic(
        model,
        path,
        per_channel=True,
        reduce_range=True,  # without it, sums overflow on processors that have no VNNI
        weight_type=QuantType.QInt8,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the exporter and the quantiser from reporting their steps."""
    loggers = [logging.getLogger(), logging.getLogger("torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
