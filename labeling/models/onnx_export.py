"""Models as ONNX files, in 32-bit floats or with 8-bit weights."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import onnx
import torch
from msgspec import Struct
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn
from torch.export import Dim

OPSET = 20
"""Of ONNX: the first with GELU as one operator; layer normalisation is one from 17. ONNX Runtime reads it
since 1.17."""


class OnnxInput(Struct, frozen=True):
    """One argument of a model's `forward`."""

    name: str
    example: Tensor  # of more than 1 along each varying axis: the exporter takes 0 and 1 for constants
    varying: dict[int, Dim]  # axes whose length is not always that of the example


def token_inputs(names: Sequence[str], max_tokens: int) -> list[OnnxInput]:
    """Inputs that are all (batch, tokens) integers.

    Args:
        names: in the order of the arguments.
        max_tokens: of a sequence.
    """
    return [
        OnnxInput(
            name,
            torch.ones((3, 7), dtype=torch.long),
            {0: Dim("batch"), 1: Dim("tokens", max=max_tokens)},
        )
        for name in names
    ]


def write_onnx(
    model: nn.Module,
    inputs: Sequence[OnnxInput],
    path: Path,
    *,
    quantised: bool,
    outputs: Sequence[str] = ("output",),
) -> None:
    """Writes a model.

    Args:
        model: moved to the CPU here.
        inputs: in the order of its arguments.
        path: of the file.
        quantised: whether with 8-bit weights.
        outputs: names of what it returns, in order.
    """
    model = model.cpu().eval()
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            model,
            tuple(given.example for given in inputs),
            input_names=[given.name for given in inputs],
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=tuple(given.varying for given in inputs),
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
