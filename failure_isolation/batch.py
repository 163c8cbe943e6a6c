"""Failure batches: dialogues with what is hidden of them as arrays and tensors."""

from collections.abc import Sequence

import torch
from msgspec import Struct
from torch import Tensor

from failure_isolation.model import FailureInputs, FailureModel, MixedInputs
from failure_isolation.part import FailurePart
from failure_isolation.usual_intents import mean_word
from failure_isolation.view import DialogueView, dialogue_view
from labeling.models.encoder_base import padded
from labeling.turns.inputs import stacked, turn_inputs
from labeling.turns.token_batch import in_order, token_batches
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent


class FailureExample(Struct, frozen=True):
    """A dialogue as it is read once."""

    turns: Sequence[TurnEvent]
    hidden: frozenset[FailurePart]
    fold: int | None = None  # in training: the fold of the log that it is in


def failure_logits(
    model: FailureModel, tokenizer: TurnTokenizer, examples: Sequence[FailureExample], device: torch.device
) -> Tensor:
    """(dialogues, longest, READERS, classes); each distinct text is read once."""
    views = [dialogue_view(one.turns, one.hidden, model.features, tokenizer) for one in examples]
    numbers: dict[TurnTokens, int] = {}
    text_of = [[numbers.setdefault(tokens, len(numbers)) for tokens in view.tokens] for view in views]
    vectors = _read(model, list(numbers), device)
    where, there = padded(text_of, device)  # (dialogues, longest)
    folds = [one.fold for one in examples if one.fold is not None]
    fold = torch.tensor(folds, device=device) if folds else None
    inputs = _inputs(views, where.shape[1], device, fold)
    logits: Tensor = model(vectors[where], inputs, there.bool())
    return logits


@torch.no_grad()
def failure_columns(model: FailureModel, tokenizer: TurnTokenizer, example: FailureExample) -> Tensor:
    """What the linear part reads of a dialogue of n turns: (n, columns). The model is on the CPU."""
    view = dialogue_view(example.turns, example.hidden, model.features, tokenizer)
    words = torch.stack([mean_word(model.texts.words.weight, tokens) for tokens in view.tokens])
    fold = None if example.fold is None else torch.full((len(words),), example.fold)
    inputs = MixedInputs(
        torch.from_numpy(view.features.categories),
        torch.from_numpy(view.features.numbers),
        torch.from_numpy(view.items),
        torch.from_numpy(view.items_there),
        torch.from_numpy(view.meant),
        fold,
    )
    return model.columns(words, inputs)


def _read(model: FailureModel, texts: Sequence[TurnTokens], device: torch.device) -> Tensor:
    """Vectors of texts: (turns, VECTORS, width)."""
    batches = list(token_batches(texts, device))
    vectors = [model.texts(batch.input_ids, batch.segments, batch.mask) for batch in batches]
    return in_order(vectors, [batch.numbers for batch in batches])


def _inputs(
    views: Sequence[DialogueView], most: int, device: torch.device, fold: Tensor | None
) -> FailureInputs:
    return FailureInputs(
        turn_inputs([view.features for view in views], device),
        stacked([view.items for view in views], most, device),
        stacked([view.items_there for view in views], most, device),
        stacked([view.meant for view in views], most, device),
        fold,
    )
