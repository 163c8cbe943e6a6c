"""Failure batches: dialogues with what is hidden of them as arrays and tensors."""

from collections.abc import Sequence

import torch
from msgspec import Struct
from torch import Tensor

from failure_isolation.failure_model import FailureInputs, FailureModel
from failure_isolation.failure_part import FailurePart
from failure_isolation.failure_view import DialogueView, dialogue_view
from labeling.encoder_base import padded
from labeling.turn_inputs import stacked, turn_inputs
from labeling.turn_tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent

_CHUNK = 24
"""Texts that go through the encoder together, sorted by length: little is padded."""


class FailureExample(Struct, frozen=True):
    """A dialogue as it is read once."""

    turns: Sequence[TurnEvent]
    hidden: frozenset[FailurePart]


def failure_logits(
    model: FailureModel, tokenizer: TurnTokenizer, examples: Sequence[FailureExample], device: torch.device
) -> Tensor:
    """(dialogues, longest, classes); each distinct text is read once."""
    views = [dialogue_view(one.turns, one.hidden, model.features, tokenizer) for one in examples]
    numbers: dict[TurnTokens, int] = {}
    text_of = [[numbers.setdefault(tokens, len(numbers)) for tokens in view.tokens] for view in views]
    vectors = _read(model, list(numbers), device)
    most = max(len(view.tokens) for view in views)
    where = torch.zeros((len(views), most), dtype=torch.long)
    for row, of_dialogue in enumerate(text_of):
        where[row, : len(of_dialogue)] = torch.tensor(of_dialogue)
    logits: Tensor = model(vectors[where.to(device)], _inputs(views, most, device))
    return logits


def _read(model: FailureModel, texts: Sequence[TurnTokens], device: torch.device) -> Tensor:
    """Vectors of texts: (turns, TEXTS, width)."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
    vectors = []
    for start in range(0, len(order), _CHUNK):
        chunk = order[start : start + _CHUNK]
        input_ids, mask = padded([texts[i].ids for i in chunk], device)
        segments, _ = padded([texts[i].segments for i in chunk], device)
        vectors.append(model.texts(input_ids, segments, mask))
    back = torch.argsort(torch.tensor(order)).to(device)
    return torch.cat(vectors)[back]


def _inputs(views: Sequence[DialogueView], most: int, device: torch.device) -> FailureInputs:
    return FailureInputs(
        turn_inputs([view.features for view in views], device),
        stacked([view.items for view in views], most, device),
        stacked([view.items_there for view in views], most, device),
    )
