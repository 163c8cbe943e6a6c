"""The label model as torch modules: turn encoder, dialogue encoder over its vectors, a head for each label.

The turn encoder (a RoBERTa) reads request and response of one turn; the features of the turn join its vector.
The dialogue encoder (a Transformer) reads the turns of a dialogue.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from labeling.labels.space import LabelSpace
from labeling.labels.turn_label import LabelName
from labeling.models.frozen_words import keep_words
from labeling.turns.dialogue_layer import DROPOUT, WIDTH, DialogueLayer, TurnRelations, head
from labeling.turns.features import NUMBERS, TurnFeatures
from labeling.turns.inputs import TurnInputs
from labeling.turns.tokenizer import IN_REQUEST, IN_RESPONSE

_LAYERS = 2
_CATEGORY_WIDTH = 16
_CATEGORY_SPREAD = 0.1  # at the start: the words of a turn shall count for more than all of its features


class TurnEncoder(nn.Module):
    """Tokens of turns to states and vectors."""

    def __init__(self, transformer: nn.Module, width: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.width = width
        keep_words(transformer)

    def forward(self, input_ids: Tensor, segments: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """States and vectors.

        Args:
            input_ids: (turns, tokens)
            segments: (turns, tokens) what each token belongs to.
            mask: (turns, tokens) 1 for tokens, 0 for padding.

        Returns:
            (turns, tokens, width), and (turns, 2 * width): means over the request and over the response, 0
            where there is none.
        """
        states = self.transformer(input_ids=input_ids, attention_mask=mask).last_hidden_state
        means = []
        for segment in (IN_REQUEST, IN_RESPONSE):
            kept = (segments == segment).unsqueeze(-1).to(states.dtype)  # (turns, tokens, 1)
            means.append((states * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1))
        return states, torch.cat(means, dim=-1)


class DialogueEncoder(nn.Module):
    """Vectors and features of turns to vectors of turns in their dialogue."""

    def __init__(self, features: TurnFeatures, text_width: int) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(size, _CATEGORY_WIDTH) for size in features.sizes)
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=_CATEGORY_SPREAD)  # type: ignore[arg-type]  # of an Embedding
        self.normalise_texts = nn.LayerNorm(2 * text_width)
        joined = 2 * text_width + len(features.sizes) * _CATEGORY_WIDTH + 2 * len(NUMBERS)
        self.join = nn.Linear(joined, WIDTH)
        self.normalise = nn.LayerNorm(WIDTH)
        self.layers = nn.ModuleList(DialogueLayer() for _ in range(_LAYERS))
        self.relations = TurnRelations()
        self.dropout = nn.Dropout(DROPOUT)
        self.normalise_last = nn.LayerNorm(WIDTH)

    def forward(self, texts: Tensor, inputs: TurnInputs) -> Tensor:
        """(dialogues, n, width) from texts of (dialogues, n, 2 * text width)."""
        named = [embed(inputs.categories[..., i]) for i, embed in enumerate(self.embeddings)]
        joined = torch.cat([self.normalise_texts(texts), *named, inputs.numbers], dim=-1)
        turns = self.dropout(self.normalise(self.join(joined)))
        bias = self.relations(inputs.distances, inputs.gaps, inputs.seen)
        for layer in self.layers:
            turns = layer(turns, bias)
        encoded: Tensor = self.normalise_last(turns)
        return encoded


class SlotHead(nn.Module):
    """Tags of the tokens of a request, read in the light of the turn in its dialogue."""

    def __init__(self, text_width: int, tags: int) -> None:
        super().__init__()
        self.of_token = nn.Linear(text_width, WIDTH)
        self.of_turn = nn.Linear(WIDTH, WIDTH)
        self.tag = nn.Linear(WIDTH, tags)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, states: Tensor, turns: Tensor) -> Tensor:
        """(tokens, tags) from (tokens, text width) and (tokens, width), the turn that each token is in."""
        joined = gelu(self.of_token(states) + self.of_turn(turns))
        logits: Tensor = self.tag(self.dropout(joined))
        return logits


class LabelModel(nn.Module):
    """All of it; the parts are called one by one."""

    def __init__(
        self, transformer: nn.Module, text_width: int, features: TurnFeatures, space: LabelSpace
    ) -> None:
        super().__init__()
        self.features = features
        self.space = space
        self.turns = TurnEncoder(transformer, text_width)
        self.dialogues = DialogueEncoder(features, text_width)
        self.fits = head(1)  # pre-training: whether the response belongs to the request
        self.heads = nn.ModuleDict({task: head(space.width(task)) for task in self.turn_tasks})
        self.of_previous = nn.Linear(WIDTH, WIDTH)  # a goal starts where a turn differs from the one before
        self.slots = SlotHead(text_width, space.width("slots")) if "slots" in space.tasks else None
        self.log_variances = nn.ParameterDict({task: nn.Parameter(torch.zeros(())) for task in space.tasks})
        """Of the tasks' losses (Kendall et al., 2018)."""

    def logits(self, turns: Tensor, seen: Tensor) -> dict[LabelName, Tensor]:
        """Of each turn task: (dialogues, n, classes) from vectors of turns.

        Whether a goal starts is read against the turn before. The rating of a dialogue builds on those of its
        turns: their mean is added to what its own head says, since dialogues are rated far less often than
        turns. It teaches nothing about them.

        Args:
            turns: (dialogues, n, width) of the dialogue encoder.
            seen: (dialogues, n, n) whether the row's turn may read the column's; padding is not seen.
        """
        sees_previous = torch.diagonal(seen, offset=-1, dim1=1, dim2=2).unsqueeze(-1)  # (dialogues, n - 1, 1)
        before = torch.cat([torch.zeros_like(turns[:, :1]), turns[:, :-1] * sees_previous], dim=1)
        found = {}
        for task in self.turn_tasks:
            read = turns + self.of_previous(before) if task == "goal_start" else turns
            found[task] = self.heads[task](read)
        if "satisfaction" in found and "dialogue_satisfaction" in found:
            of_turns = found["satisfaction"].detach()
            kept = seen.to(of_turns.dtype)  # (dialogues, n, n)
            mean = (kept @ of_turns) / kept.sum(dim=-1, keepdim=True)
            found["dialogue_satisfaction"] = found["dialogue_satisfaction"] + mean
        return found

    @property
    def turn_tasks(self) -> Sequence[LabelName]:
        """The tasks that are about whole turns, in the order of the heads."""
        return [task for task in self.space.tasks if task != "slots"]
