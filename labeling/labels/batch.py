"""Label batches: dialogues with their targets as tensors."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from labeling.labels.model import LabelModel
from labeling.labels.space import BINARY, RATINGS
from labeling.labels.targets import UNKNOWN, TurnTarget, slot_tags
from labeling.labels.turn_label import LabelName
from labeling.models.encoder_base import padded
from labeling.turns.dialogue_part import Part
from labeling.turns.inputs import turn_inputs
from labeling.turns.texts import said_by, turn_texts
from labeling.turns.token_batch import in_order, token_batches
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent


class DialogueExample(Struct, frozen=True):
    """A dialogue as it is read once: with parts hidden, and perhaps with other responses."""

    turns: Sequence[TurnEvent]
    hidden: frozenset[Part]
    targets: Sequence[TurnTarget] = ()
    tasks: tuple[LabelName, ...] = ()  # that are learned from it
    responses: Mapping[int, str] = {}  # by position, where they were swapped


class EncodedTurns(NamedTuple):
    """What the model makes of a batch."""

    dialogues: Tensor  # (dialogues, n, width) of the dialogue encoder
    seen: Tensor  # (dialogues, n, n) whether the row's turn may read the column's
    states: Sequence[Tensor]  # by text: (tokens, text width)
    tokens: Sequence[TurnTokens]  # by text
    text_of: Sequence[Sequence[int]]  # by dialogue and turn: number of its text


def encode(
    model: LabelModel, tokenizer: TurnTokenizer, examples: Sequence[DialogueExample], device: torch.device
) -> EncodedTurns:
    """Reads a batch; each text is read once."""
    numbers: dict[TurnTokens, int] = {}
    text_of = []
    for example in examples:
        texts_of = turn_texts(example.turns, example.hidden, example.responses)
        tokens_of = [tokenizer.tokens(one.request, one.response, one.prompt) for one in texts_of]
        text_of.append([numbers.setdefault(tokens, len(numbers)) for tokens in tokens_of])
    texts = list(numbers)
    states, vectors = _read(model, texts, device)
    where, _ = padded(text_of, device)  # (dialogues, n)
    features = [model.features.of(example.turns, example.hidden) for example in examples]
    inputs = turn_inputs(features, device)
    encoded = model.dialogues(vectors[where], inputs)
    return EncodedTurns(encoded, inputs.seen, states, texts, text_of)


def batch_losses(
    model: LabelModel, encoded: EncodedTurns, examples: Sequence[DialogueExample], device: torch.device
) -> dict[LabelName, Tensor]:
    """Mean cross entropy of each task that the batch says something about."""
    losses: dict[LabelName, Tensor] = {}
    all_logits = model.logits(encoded.dialogues, encoded.seen)
    for task, of_task in all_logits.items():
        rows: list[tuple[int, int]] = []
        values: list[tuple[float, ...] | int] = []
        weights: list[float] = []
        for row, example in enumerate(examples):
            if task not in example.tasks:
                continue
            for position, target in enumerate(example.targets):
                value = target.values.get(task, target.classes.get(task, UNKNOWN))
                if value != UNKNOWN:
                    rows.append((row, position))
                    values.append(value)
                    weights.append(target.weights.get(task, 1.0))
        if not rows:
            continue
        at = torch.tensor(rows).T.to(device)  # (2, labelled turns)
        logits = of_task[at[0], at[1]].float()  # (labelled turns, classes)
        wanted = torch.tensor(values, device=device)
        losses[task] = _weighted(_entropy(task, logits, wanted), weights, device)
    if (tagged := _slot_loss(model, encoded, examples, device)) is not None:
        losses["slots"] = tagged
    return losses


def _slot_loss(
    model: LabelModel, encoded: EncodedTurns, examples: Sequence[DialogueExample], device: torch.device
) -> Tensor | None:
    if model.slots is None:
        return None
    states, rows, tags, weights = [], [], [], []
    for row, example in enumerate(examples):
        if "slots" not in example.tasks:
            continue
        for position, target in enumerate(example.targets):
            tokens = encoded.tokens[encoded.text_of[row][position]]
            if target.slots is None or not tokens.offsets:
                continue
            states.append(encoded.states[encoded.text_of[row][position]][tokens.request])
            rows += [(row, position)] * len(tokens.offsets)
            tags.append(slot_tags(tokens.offsets, target.slots, model.space.slots))
            weights += [target.weights.get("slots", 1.0)] * len(tokens.offsets)
    if not rows:
        return None
    at = torch.tensor(rows).T.to(device)
    logits = model.slots(torch.cat(states), encoded.dialogues[at[0], at[1]]).float()
    wanted = torch.from_numpy(np.concatenate(tags)).to(device)
    return _weighted(torch.nn.functional.cross_entropy(logits, wanted, reduction="none"), weights, device)


def fit_loss(
    model: LabelModel, encoded: EncodedTurns, examples: Sequence[DialogueExample], device: torch.device
) -> Tensor:
    """Of pre-training: whether the response of each turn is its own."""
    rows = [
        (row, position)
        for row, example in enumerate(examples)
        for position, turn in enumerate(example.turns)
        if said_by(turn) is not None
    ]
    at = torch.tensor(rows, dtype=torch.long).reshape(-1, 2).T.to(device)
    swapped = [float(position in examples[row].responses) for row, position in rows]
    logits = model.fits(encoded.dialogues[at[0], at[1]]).float().squeeze(-1)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(swapped, device=device))


def _entropy(task: LabelName, logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross entropy of each labelled turn: (turns,)."""
    if task in BINARY:
        return torch.nn.functional.binary_cross_entropy_with_logits(
            logits.squeeze(-1), wanted.squeeze(-1).float(), reduction="none"
        )
    if task in RATINGS:
        return -(wanted.float() * torch.log_softmax(logits, dim=-1)).sum(dim=-1)
    return torch.nn.functional.cross_entropy(logits, wanted, reduction="none")


def _weighted(losses: Tensor, weights: Sequence[float], device: torch.device) -> Tensor:
    counted = torch.tensor(weights, device=device)
    return (losses * counted).sum() / counted.sum().clamp(min=1e-6)


def _read(
    model: LabelModel, texts: Sequence[TurnTokens], device: torch.device
) -> tuple[list[Tensor], Tensor]:
    """States of each text, and vectors of all: (texts, 2 * text width)."""
    states: list[Tensor] = [torch.empty(0)] * len(texts)
    vectors, numbers = [], []
    for batch in token_batches(texts, device):
        of_tokens, of_texts = model.turns(batch.input_ids, batch.segments, batch.mask)
        vectors.append(of_texts)
        numbers.append(batch.numbers)
        for i, of_text in zip(batch.numbers, of_tokens.unbind(0), strict=True):
            states[i] = of_text
    return states, in_order(vectors, numbers)
