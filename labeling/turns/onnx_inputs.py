"""Turn inputs as arguments of a model that is written as ONNX."""

import torch
from torch.export import Dim

from labeling.models.onnx_export import OnnxInput
from labeling.turns.features import CATEGORIES, NUMBERS

EXAMPLE_TURNS = 5
"""Of the examples that are given to the exporter."""


def turn_onnx_inputs(turns: Dim) -> list[OnnxInput]:
    """The fields of `TurnInputs` for one dialogue, in order.

    Args:
        turns: how many it may have.
    """
    n = EXAMPLE_TURNS
    return [
        OnnxInput("categories", torch.zeros((1, n, len(CATEGORIES)), dtype=torch.long), {1: turns}),
        OnnxInput("numbers", torch.zeros((1, n, 2 * len(NUMBERS))), {1: turns}),
        OnnxInput("distances", torch.zeros((1, n, n), dtype=torch.long), {1: turns, 2: turns}),
        OnnxInput("gaps", torch.zeros((1, n, n), dtype=torch.long), {1: turns, 2: turns}),
        OnnxInput("seen", torch.ones((1, n, n), dtype=torch.bool), {1: turns, 2: turns}),
    ]
