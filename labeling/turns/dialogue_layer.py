"""Layers of a Transformer (Vaswani et al., 2017) over the turns of a dialogue.

Attention has a bias for how many turns and how much time lie between two turns (as in Shaw et al., 2018, with
time beside distance).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from labeling.turns.features import DISTANCES, GAPS

WIDTH = 256
"""Of the vectors."""

HEADS = 4
DROPOUT = 0.1

_DECLINE = 1.0
"""How much less each further turn counts before training, as the bias of attention."""

UNSEEN = -1e4
"""Bias of attention for what is not read; finite, so that a row without anything to read stays a number."""


class DialogueLayer(nn.Module):
    """Self-attention between turns, and a feed-forward layer; normalised before each."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention = nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, 3 * WIDTH)
        self.join = nn.Linear(WIDTH, WIDTH)
        self.before_forward = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, turns: Tensor, bias: Tensor, first: int | None = None) -> Tensor:
        """One layer: (dialogues, n, width) to the same; `bias` is (dialogues, heads, n, n).

        Of the last layer maybe no more than the `first` ones are needed: (dialogues, first, width).
        """
        batch, n, _ = turns.shape
        parts = self.project(self.before_attention(turns)).reshape(batch, n, 3, HEADS, WIDTH // HEADS)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (dialogues, heads, n, width / heads)
        query, bias, turns = query[:, :, :first], bias[:, :, :first], turns[:, :first]
        scores = query @ key.transpose(-1, -2) / math.sqrt(WIDTH // HEADS) + bias  # (dialogues, heads, n, n)
        attended = scores.softmax(dim=-1).to(value.dtype) @ value
        turns = turns + self.dropout(self.join(attended.transpose(1, 2).reshape(turns.shape)))
        fed: Tensor = turns + self.dropout(self.narrow(gelu(self.widen(self.before_forward(turns)))))
        return fed


class TurnRelations(nn.Module):
    """What attention makes of how far turns are apart.

    Before it is trained, a turn reads itself and its neighbours more than the others, and time tells nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.of_distance = nn.Embedding(DISTANCES, HEADS)
        self.of_gap = nn.Embedding(GAPS, HEADS)
        steps = (torch.arange(DISTANCES) - DISTANCES // 2).abs().float()
        with torch.no_grad():
            self.of_distance.weight.copy_((-_DECLINE * steps).unsqueeze(-1).expand(-1, HEADS))
        nn.init.zeros_(self.of_gap.weight)

    def forward(self, distances: Tensor, gaps: Tensor, seen: Tensor) -> Tensor:
        """Bias of attention: (dialogues, HEADS, n, n).

        Args:
            distances: (dialogues, n, n) buckets, as are the gaps.
            gaps: likewise.
            seen: (dialogues, n, n) whether the row's turn may read the column's.
        """
        bias = (self.of_distance(distances) + self.of_gap(gaps)).permute(0, 3, 1, 2)
        kept: Tensor = bias.masked_fill(~seen.unsqueeze(1), UNSEEN)
        return kept


def head(width: int) -> nn.Module:
    """(..., WIDTH) vectors of turns to (..., width) logits."""
    return nn.Sequential(
        nn.Linear(WIDTH, WIDTH), nn.GELU(approximate="none"), nn.Dropout(DROPOUT), nn.Linear(WIDTH, width)
    )
