"""The failure model as torch modules: encoders of the texts, of the turns, and of their dialogue.

The text encoder (a RoBERTa) reads request, response and traces of one turn in one sequence. Their vectors,
the features of the turn and the numbers of its traces become tokens of a small Transformer that mixes them
(the "mixing encoder" of Khaziev et al., NAACL 2022). What it makes of each turn is read by another one over
the turns of the dialogue, earlier and later.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from failure_isolation.failure_rule import FAILURE_POINTS
from failure_isolation.item_scale import ItemScale
from failure_isolation.trace_item import NUMBERS as ITEM_NUMBERS
from failure_isolation.trace_item import PLACES
from labeling.dialogue_layer import DROPOUT, UNSEEN, WIDTH, DialogueLayer, TurnRelations
from labeling.frozen_words import keep_words
from labeling.turn_features import NUMBERS, TurnFeatures
from labeling.turn_inputs import TurnInputs
from labeling.turn_tokenizer import IN_PROMPT

TEXTS = IN_PROMPT + PLACES
"""Of a turn: request, response, what came before, and those of its trace items."""

_NUMBER_TOKENS = 4
"""Tokens that all numbers of a turn become."""

_WIDEST = 5.0
"""Spreads from the mean: what is farther off is no better evidence."""

_CATEGORY_WIDTH = 16
_SHORTCUT_WIDTH = 512
"""Of the way from numbers and categories to the vector of the turn that does not lead through the mixing."""

_MIXING_LAYERS = 2
_DIALOGUE_LAYERS = 2


class FailureInputs(NamedTuple):
    """What is known of a batch of dialogues of up to n turns, beside their texts."""

    turns: TurnInputs
    items: Tensor  # (dialogues, n, PLACES, ITEM_NUMBERS)
    items_there: Tensor  # (dialogues, n, PLACES) bool


class MixedInputs(NamedTuple):
    """What is known of turns one by one, beside their texts."""

    categories: Tensor  # (turns, kinds)
    numbers: Tensor  # (turns, 2 * kinds)
    items: Tensor  # (turns, PLACES, ITEM_NUMBERS)
    items_there: Tensor  # (turns, PLACES) bool


class TraceEncoder(nn.Module):
    """Tokens of turns to vectors of their texts."""

    def __init__(self, transformer: nn.Module, width: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.width = width
        keep_words(transformer)

    def forward(self, input_ids: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Means over the tokens of each text, 0 where there is none.

        Args:
            input_ids: (turns, tokens)
            segments: (turns, tokens) which text each token belongs to; 0: none.
            mask: (turns, tokens) 1 for tokens, 0 for padding.

        Returns:
            (turns, TEXTS, width)
        """
        states = self.transformer(input_ids=input_ids, attention_mask=mask).last_hidden_state
        texts = torch.arange(1, TEXTS + 1, device=segments.device)
        kept = (segments.unsqueeze(1) == texts.unsqueeze(-1)).to(states.dtype)  # (turns, TEXTS, tokens)
        means: Tensor = (kept @ states) / kept.sum(dim=-1, keepdim=True).clamp(min=1)
        return means


class MixingEncoder(nn.Module):
    """All that is known of a turn to its vector.

    Numbers and categories also reach it on a shorter way: without it, some ten thousand turns are too few to
    learn from them what boosted trees do.
    """

    item_means: Tensor  # (PLACES, ITEM_NUMBERS)
    item_spreads: Tensor

    def __init__(self, features: TurnFeatures, scale: ItemScale, text_width: int) -> None:
        super().__init__()
        self.register_buffer("item_means", torch.from_numpy(scale.means))
        self.register_buffer("item_spreads", torch.from_numpy(scale.spreads))
        self.normalise_texts = nn.LayerNorm(text_width)
        self.of_text = nn.Linear(text_width, WIDTH)
        self.of_item = nn.Linear(ITEM_NUMBERS, WIDTH)
        self.of_category = nn.ModuleList(nn.Embedding(size, WIDTH) for size in features.sizes)
        self.of_numbers = nn.Linear(2 * len(NUMBERS), _NUMBER_TOKENS * WIDTH)
        n_tokens = 1 + TEXTS + len(features.sizes) + _NUMBER_TOKENS
        self.places = nn.Parameter(torch.randn(n_tokens, WIDTH) * 0.1)  # the first is that of the turn
        for embedding in self.of_category:
            nn.init.normal_(embedding.weight, std=0.1)  # type: ignore[arg-type]  # of an Embedding
        self.normalise = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(DialogueLayer() for _ in range(_MIXING_LAYERS))
        self.briefly = nn.ModuleList(nn.Embedding(size, _CATEGORY_WIDTH) for size in features.sizes)
        flat = PLACES * (ITEM_NUMBERS + 1) + 2 * len(NUMBERS) + _CATEGORY_WIDTH * len(features.sizes)
        self.shortcut = nn.Sequential(
            nn.Linear(flat, _SHORTCUT_WIDTH),
            nn.GELU(approximate="none"),
            nn.Dropout(DROPOUT),
            nn.Linear(_SHORTCUT_WIDTH, WIDTH),
        )

    def forward(self, texts: Tensor, inputs: MixedInputs) -> Tensor:
        """(turns, WIDTH) from texts of (turns, TEXTS, text width)."""
        of_texts = self.of_text(self.normalise_texts(texts))  # (turns, TEXTS, WIDTH)
        there = inputs.items_there.unsqueeze(-1)  # (turns, PLACES, 1)
        away = (inputs.items - self.item_means) / self.item_spreads
        items = away.clamp(-_WIDEST, _WIDEST) * there
        of_items = of_texts[:, IN_PROMPT:] + self.of_item(items)
        named = torch.stack(
            [embed(inputs.categories[:, i]) for i, embed in enumerate(self.of_category)], dim=1
        )
        numbers = self.of_numbers(inputs.numbers).reshape(-1, _NUMBER_TOKENS, WIDTH)
        of_turn = torch.zeros_like(numbers[:, :1])
        tokens = torch.cat([of_turn, of_texts[:, :IN_PROMPT], of_items, named, numbers], dim=1) + self.places
        always = torch.ones_like(inputs.items_there[:, :1])
        known = torch.cat(
            [
                always.expand(-1, 1 + IN_PROMPT),
                inputs.items_there,
                always.expand(-1, tokens.shape[1] - 1 - TEXTS),
            ],
            dim=1,
        )  # (turns, tokens)
        bias = torch.zeros_like(known, dtype=tokens.dtype).masked_fill(~known, UNSEEN)[:, None, None, :]
        mixed = self.normalise(tokens)
        for layer in self.layers[:-1]:
            mixed = layer(mixed, bias)
        briefly = [embed(inputs.categories[:, i]) for i, embed in enumerate(self.briefly)]
        flat = torch.cat(
            [items.flatten(1), there.flatten(1).to(items.dtype), inputs.numbers, *briefly], dim=1
        )
        turns: Tensor = self.layers[-1](mixed, bias, first=1)[:, 0] + self.shortcut(flat)
        return turns


class FailureModel(nn.Module):
    """All of it; texts are encoded apart, each once."""

    def __init__(
        self, transformer: nn.Module, text_width: int, features: TurnFeatures, scale: ItemScale
    ) -> None:
        super().__init__()
        self.features = features
        self.texts = TraceEncoder(transformer, text_width)
        self.mixing = MixingEncoder(features, scale, text_width)
        self.layers = nn.ModuleList(DialogueLayer() for _ in range(_DIALOGUE_LAYERS))
        self.relations = TurnRelations()
        self.normalise = nn.LayerNorm(WIDTH)
        self.head = nn.Sequential(
            nn.Linear(WIDTH, WIDTH),
            nn.GELU(approximate="none"),
            nn.Dropout(DROPOUT),
            nn.Linear(WIDTH, len(FAILURE_POINTS)),
        )

    def forward(self, texts: Tensor, inputs: FailureInputs, there: Tensor | None = None) -> Tensor:
        """(dialogues, n, classes) logits, from texts of (dialogues, n, TEXTS, text width).

        Args:
            texts: their vectors.
            inputs: the rest.
            there: (dialogues, n) bool, false for padding, which is not mixed; None: nothing is padding.
        """
        of_turns = (texts, inputs.turns.categories, inputs.turns.numbers, inputs.items, inputs.items_there)
        if there is None:
            mixed = self._mixed(*(one.flatten(0, 1) for one in of_turns))
            turns = mixed.reshape(*texts.shape[:2], WIDTH)
        else:
            mixed = self._mixed(*(one[there] for one in of_turns))
            turns = mixed.new_zeros((*there.shape, WIDTH)).masked_scatter(there.unsqueeze(-1), mixed)
        bias = self.relations(inputs.turns.distances, inputs.turns.gaps, inputs.turns.seen)
        for layer in self.layers:
            turns = layer(turns, bias)
        logits: Tensor = self.head(self.normalise(turns))
        return logits

    def _mixed(self, texts: Tensor, *of_turns: Tensor) -> Tensor:
        mixed: Tensor = self.mixing(texts, MixedInputs(*of_turns))
        return mixed
