"""Token batches: turns of like length together, so that little is padded."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from labeling.models.encoder_base import padded
from labeling.turns.tokenizer import TurnTokens

_TEXTS = 24
"""Of one batch."""


class TokenBatch(NamedTuple):
    """Some of the texts, padded to the longest of them: (texts, tokens) each."""

    numbers: list[int]  # which of the texts these are
    input_ids: Tensor
    segments: Tensor
    mask: Tensor


def token_batches(texts: Sequence[TurnTokens], device: torch.device) -> Iterator[TokenBatch]:
    """All texts, the shortest first."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
    for start in range(0, len(order), _TEXTS):
        numbers = order[start : start + _TEXTS]
        input_ids, mask = padded([texts[i].ids for i in numbers], device)
        segments, _ = padded([texts[i].segments for i in numbers], device)
        yield TokenBatch(numbers, input_ids, segments, mask)


def in_order(vectors: Sequence[Tensor], numbers: Sequence[Sequence[int]]) -> Tensor:
    """The vectors of all texts in the order of the texts, from those of each batch."""
    back = torch.argsort(torch.tensor([number for of_batch in numbers for number in of_batch]))
    joined = torch.cat(list(vectors))
    return joined[back.to(joined.device)]
