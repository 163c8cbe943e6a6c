"""The encoders as torch modules, for their training and export."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from labeling.models.encoder_base import EncoderBase


class TextEncoderModel(nn.Module):
    """Transformer, mean over the tokens, an optional projection; vectors of length 1."""

    def __init__(self, base: EncoderBase, dimension: int | None = None) -> None:
        super().__init__()
        self.base = base
        self.transformer = base.transformer
        self.dimension = dimension or base.width
        self.projection: nn.Linear | None = None
        if dimension not in (None, base.width):
            self.projection = nn.Linear(base.width, self.dimension, bias=False)
            nn.init.orthogonal_(self.projection.weight)  # keeps as much of the distances as there is room for

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Vectors of a batch.

        Args:
            input_ids: (batch, tokens)
            attention_mask: (batch, tokens) 1 for tokens, 0 for padding; None: no row is padded.

        Returns:
            (batch, dimension)
        """
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = _mean(hidden, attention_mask)  # (batch, width)
        if self.projection is not None:
            pooled = self.projection(pooled)  # (batch, dimension)
        return normalize(pooled, dim=-1)


class PairEncoderModel(nn.Module):
    """Transformer over query and candidate in one sequence, mean over the tokens, and one logit."""

    def __init__(self, base: EncoderBase) -> None:
        super().__init__()
        self.base = base
        self.transformer = base.transformer
        self.dense = nn.Linear(base.width, base.width)
        self.head = nn.Linear(base.width, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits of a batch of pairs: (batch,); all arguments are (batch, tokens)."""
        types = {"token_type_ids": token_type_ids} if self.base.has_types else {}
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **types)
        pooled = torch.tanh(self.dense(_mean(hidden.last_hidden_state, attention_mask)))  # (batch, width)
        logits: Tensor = self.head(pooled).squeeze(-1)  # (batch,)
        return logits


def _mean(hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Mean over the tokens: (batch, tokens, width) to (batch, width)."""
    if attention_mask is None:
        return hidden.mean(dim=1)
    kept = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, tokens, 1)
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1)
