"""The failure model as torch modules: encoders of the texts, of the turns, and of their dialogue.

The text encoder (a RoBERTa) reads request, response and traces of one turn in one sequence. Their vectors,
the features of the turn and the numbers of its traces become tokens of a small Transformer that mixes them
(the "mixing encoder" of Khaziev et al., NAACL 2022). What it makes of each turn is read by another one over
the turns of the dialogue, earlier and later.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from failure_isolation.item_scale import ItemScale
from failure_isolation.linear_failures import LinearFailures
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.trace_item import NUMBERS as ITEM_NUMBERS
from failure_isolation.trace_item import PLACES
from failure_isolation.usual_intents import USUAL, UsualIntents
from labeling.models.frozen_words import keep_words
from labeling.turns.dialogue_layer import DROPOUT, UNSEEN, WIDTH, DialogueLayer, TurnRelations, head
from labeling.turns.features import NUMBERS, TurnFeatures
from labeling.turns.inputs import TurnInputs
from labeling.turns.tokenizer import IN_PROMPT, IN_REQUEST

TEXTS = IN_PROMPT + PLACES
"""Of a turn: request, response, what came before, and those of its trace items."""

READERS = 2
"""Of a turn: the network, and the linear part."""

VECTORS = TEXTS + 1
"""Of a turn: of its texts, and the mean of the word embeddings of its request."""

_NUMBER_TOKENS = 4
"""Tokens that all numbers of a turn become."""

_WIDEST = 5.0
"""Spreads from the mean: what is farther off is no better evidence."""

_CATEGORY_WIDTH = 16
_SPOKEN = 2
"""The texts that both sides have said, request and response, which are the first ones."""

_SHORTCUT_WIDTH = 512
"""Of the way from numbers and categories to the vector of the turn that does not lead through the mixing."""

_MIXING_LAYERS = 2
_DIALOGUE_LAYERS = 2


class FailureInputs(NamedTuple):
    """What is known of a batch of dialogues of up to n turns, beside their texts."""

    turns: TurnInputs
    items: Tensor  # (dialogues, n, PLACES, ITEM_NUMBERS)
    items_there: Tensor  # (dialogues, n, PLACES) bool
    meant: Tensor  # (dialogues, n, INTERPRETATIONS) numbers of intents
    fold: Tensor | None = None  # (dialogues,) in training: the fold of the log that each is in


class MixedInputs(NamedTuple):
    """What is known of turns one by one, beside their texts."""

    categories: Tensor  # (turns, kinds)
    numbers: Tensor  # (turns, 2 * kinds)
    items: Tensor  # (turns, PLACES, ITEM_NUMBERS)
    items_there: Tensor  # (turns, PLACES) bool
    meant: Tensor  # (turns, INTERPRETATIONS) numbers of intents
    fold: Tensor | None = None  # (turns,)


class KnownNumbers(NamedTuple):
    """All that is known of turns in numbers."""

    items: Tensor  # (turns, PLACES, ITEM_NUMBERS) in their own scale; 0 where there is none
    items_there: Tensor  # (turns, PLACES) bool
    others: Tensor  # (turns, N_OTHERS)


N_OTHERS = 2 * len(NUMBERS) + USUAL
"""Numbers of a turn beside those of its trace items."""


class TraceEncoder(nn.Module):
    """Tokens of turns to vectors of their texts."""

    def __init__(self, transformer: nn.Module, width: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.width = width
        keep_words(transformer)

    @property
    def words(self) -> nn.Embedding:
        """Word embeddings, which no training moves."""
        embeddings: nn.Embedding = self.transformer.get_input_embeddings()  # type: ignore[operator]
        return embeddings

    def forward(self, input_ids: Tensor, segments: Tensor, mask: Tensor) -> Tensor:
        """Means over the tokens of each text, and over the words of the request; 0 where there is none.

        Args:
            input_ids: (turns, tokens)
            segments: (turns, tokens) which text each token belongs to; 0: none.
            mask: (turns, tokens) 1 for tokens, 0 for padding.

        Returns:
            (turns, VECTORS, width)
        """
        states = self.transformer(input_ids=input_ids, attention_mask=mask).last_hidden_state
        texts = torch.arange(1, TEXTS + 1, device=segments.device)
        kept = (segments.unsqueeze(1) == texts.unsqueeze(-1)).to(states.dtype)  # (turns, TEXTS, tokens)
        counts = kept.sum(dim=-1, keepdim=True).clamp(min=1)  # (turns, TEXTS, 1)
        asked = slice(IN_REQUEST - 1, IN_REQUEST)
        words = kept[:, asked] @ self.words(input_ids) / counts[:, asked]
        return torch.cat([kept @ states / counts, words], dim=1)


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
        self.usual = UsualIntents(text_width, len(features.categories["intent"]) + 2)
        self.of_numbers = nn.Linear(N_OTHERS, _NUMBER_TOKENS * WIDTH)
        n_tokens = 1 + TEXTS + len(features.sizes) + _NUMBER_TOKENS
        self.places = nn.Parameter(torch.randn(n_tokens, WIDTH) * 0.1)  # the first is that of the turn
        for embedding in self.of_category:
            nn.init.normal_(embedding.weight, std=0.1)  # type: ignore[arg-type]  # of an Embedding
        self.normalise = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(DialogueLayer() for _ in range(_MIXING_LAYERS))
        self.briefly = nn.ModuleList(nn.Embedding(size, _CATEGORY_WIDTH) for size in features.sizes)
        flat = PLACES * (ITEM_NUMBERS + 1) + N_OTHERS + _CATEGORY_WIDTH * len(features.sizes)
        self.shortcut = nn.Sequential(
            nn.Linear(flat, _SHORTCUT_WIDTH),
            nn.GELU(approximate="none"),
            nn.Dropout(DROPOUT),
            nn.Linear(_SHORTCUT_WIDTH, WIDTH),
        )

    def numbers(self, words: Tensor, inputs: MixedInputs) -> KnownNumbers:
        """What is known in numbers, from means of word embeddings of the requests, (turns, text width)."""
        away = (inputs.items - self.item_means) / self.item_spreads
        return KnownNumbers(
            away.clamp(-_WIDEST, _WIDEST) * inputs.items_there.unsqueeze(-1),
            inputs.items_there,
            torch.cat([inputs.numbers, self.usual(words, inputs.meant, inputs.fold)], dim=1),
        )

    def forward(self, texts: Tensor, inputs: MixedInputs, numbers: KnownNumbers) -> Tensor:
        """(turns, WIDTH) from texts of (turns, TEXTS, text width)."""
        of_texts = self.of_text(self.normalise_texts(texts))  # (turns, TEXTS, WIDTH)
        of_items = of_texts[:, IN_PROMPT:] + self.of_item(numbers.items)
        named = torch.stack(
            [embed(inputs.categories[:, i]) for i, embed in enumerate(self.of_category)], dim=1
        )
        of_numbers = self.of_numbers(numbers.others).reshape(-1, _NUMBER_TOKENS, WIDTH)
        of_turn = torch.zeros_like(of_numbers[:, :1])
        tokens = torch.cat([of_turn, of_texts[:, :IN_PROMPT], of_items, named, of_numbers], dim=1)
        tokens = tokens + self.places
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
        flat = torch.cat([_flat(numbers), *briefly], dim=1)
        turns: Tensor = self.layers[-1](mixed, bias, first=1)[:, 0] + self.shortcut(flat)
        return turns


def _flat(numbers: KnownNumbers) -> Tensor:
    """(turns, PLACES * (ITEM_NUMBERS + 1) + N_OTHERS)."""
    there = numbers.items_there.to(numbers.items.dtype)
    return torch.cat([numbers.items.flatten(1), there, numbers.others], dim=1)


class FailureModel(nn.Module):
    """All of it; texts are encoded apart, each once.

    Two read a turn: the network, and the linear part, which was fitted before; their logits are summed. What
    was said also adds to the logits directly, as in a text classifier: where the same words fail again
    and again, a few annotations tell it.
    """

    def __init__(
        self, transformer: nn.Module, text_width: int, features: TurnFeatures, scale: ItemScale
    ) -> None:
        super().__init__()
        self.features = features
        self.texts = TraceEncoder(transformer, text_width)
        self.mixing = MixingEncoder(features, scale, text_width)
        self.linear = LinearFailures(PLACES * (ITEM_NUMBERS + 1) + N_OTHERS + sum(features.sizes))
        self.layers = nn.ModuleList(DialogueLayer() for _ in range(_DIALOGUE_LAYERS))
        self.relations = TurnRelations()
        self.normalise = nn.LayerNorm(WIDTH)
        self.head = head(len(FAILURE_POINTS))
        self.of_spoken = nn.Sequential(
            nn.Dropout(DROPOUT), nn.Linear(_SPOKEN * text_width, len(FAILURE_POINTS))
        )

    def forward(self, vectors: Tensor, inputs: FailureInputs, there: Tensor | None = None) -> Tensor:
        """(dialogues, n, READERS, classes) logits, from vectors of (dialogues, n, VECTORS, text width).

        Args:
            vectors: of the texts, as `TraceEncoder` gives them.
            inputs: the rest.
            there: (dialogues, n) bool, false for padding, which is not mixed; None: nothing is padding.
        """
        turn, *others, fold = inputs
        of_turns = [vectors, turn.categories, turn.numbers, *others]
        if fold is not None:
            of_turns.append(fold.unsqueeze(-1).expand(vectors.shape[:2]))
        if there is None:
            both = self._each(*(one.flatten(0, 1) for one in of_turns))
            read = both.reshape(*vectors.shape[:2], both.shape[-1])
        else:
            both = self._each(*(one[there] for one in of_turns))
            read = both.new_zeros((*there.shape, both.shape[-1]))
            read = read.masked_scatter(there.unsqueeze(-1), both)
        turns, linear = read[..., :WIDTH], read[..., WIDTH:]
        bias = self.relations(turn.distances, turn.gaps, turn.seen)
        for layer in self.layers:
            turns = layer(turns, bias)
        spoken = vectors[:, :, :_SPOKEN].flatten(2)  # (dialogues, n, _SPOKEN * text width)
        network = self.head(self.normalise(turns)) + self.of_spoken(spoken)
        return torch.stack([network, linear], dim=-2)

    def columns(self, words: Tensor, inputs: MixedInputs) -> Tensor:
        """(turns, columns) that the linear part reads."""
        return self._columns(inputs, self.mixing.numbers(words, inputs))

    def _columns(self, inputs: MixedInputs, numbers: KnownNumbers) -> Tensor:
        named = [
            one_hot(inputs.categories[:, i], size).to(numbers.others.dtype)
            for i, size in enumerate(self.features.sizes)
        ]
        return torch.cat([_flat(numbers), *named], dim=1)

    def _each(self, vectors: Tensor, *of_turns: Tensor) -> Tensor:
        """Vectors of the turns and logits of the linear part: (turns, WIDTH + classes)."""
        inputs = MixedInputs(*of_turns)
        numbers = self.mixing.numbers(vectors[:, TEXTS], inputs)
        turns = self.mixing(vectors[:, :TEXTS], inputs, numbers)
        return torch.cat([turns, self.linear(self._columns(inputs, numbers))], dim=1)
