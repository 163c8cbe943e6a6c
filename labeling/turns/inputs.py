"""Turn inputs: the features of a batch of dialogues as tensors."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labeling.turns.features import DialogueFeatures


class TurnInputs(NamedTuple):
    """The features of a batch of dialogues of up to n turns."""

    categories: Tensor  # (dialogues, n, kinds)
    numbers: Tensor  # (dialogues, n, 2 * kinds)
    distances: Tensor  # (dialogues, n, n)
    gaps: Tensor  # (dialogues, n, n)
    seen: Tensor  # (dialogues, n, n) bool; a turn that is padding sees itself


def turn_inputs(features: Sequence[DialogueFeatures], device: torch.device) -> TurnInputs:
    """Dialogues of different lengths in one batch, each padded to the longest."""
    most = max(len(one.categories) for one in features)
    seen = stacked([one.seen for one in features], most, device, axes=2)
    return TurnInputs(
        stacked([one.categories for one in features], most, device),
        stacked([one.numbers for one in features], most, device),
        stacked([one.distances for one in features], most, device, axes=2),
        stacked([one.gaps for one in features], most, device, axes=2),
        seen | torch.eye(most, dtype=torch.bool, device=device),
    )


def stacked(
    arrays: Sequence[NDArray[np.generic]], most: int, device: torch.device, *, axes: int = 1
) -> Tensor:
    """Arrays with one row for each turn, padded with 0 to `most` turns along their first `axes` axes."""
    rows = [
        np.pad(one, [(0, most - one.shape[axis]) if axis < axes else (0, 0) for axis in range(one.ndim)])
        for one in arrays
    ]
    return torch.from_numpy(np.stack(rows)).to(device)
