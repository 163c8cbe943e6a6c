"""Usual intents: how usual an interpretation is for the words of its request, by the log itself.

A log tells what most requests with like words were taken for, without any annotation: where one is taken for
something else, it was misheard or misunderstood more often than others. A ridge regression from the mean of
the word embeddings of a request to its intent says it, in closed form.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from failure_isolation.trace_item import INTERPRETATIONS
from failure_isolation.view import intent_number
from labeling.text.rewritten_request import is_rewritten
from labeling.turns.features import MISSING, TurnFeatures, interpretation
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent

USUAL = 2 * INTERPRETATIONS
"""Numbers of a turn: for each interpretation how usual it is, and how much more than any other intent."""

FOLDS = 8
"""Of a log: what is usual in all others is what a failure model learns from in one of them. In use, a turn is
not among those that were learned from, and must not have been in training."""

MOST_FITTED = 50_000
"""Different requests of a fold that are learned from, the most frequent ones."""

_PENALTY = 1.0  # a request counts as much: its vector has length 1
_SCALE = 3.0  # scores lie between 0 and 1, mostly
_NEVER = -9.0  # below all scores
_CONSTANT = 0.3  # beside vectors of length 1


class UsualIntents(nn.Module):
    """Word vectors and interpretations of turns to how usual these are; gradients train nothing of it."""

    whole: Tensor  # (1 + width, intents) weights by all of the log; the first row is that of a constant
    without: Tensor  # (FOLDS, 1 + width, intents) weights by all folds but one

    def __init__(self, width: int, intents: int) -> None:
        super().__init__()
        self.register_buffer("whole", torch.zeros(1 + width, intents))
        self.register_buffer("without", torch.zeros(FOLDS, 1 + width, intents))

    @torch.no_grad()
    def fit(
        self,
        dialogues: Iterable[tuple[Sequence[TurnEvent], int]],
        features: TurnFeatures,
        tokenizer: TurnTokenizer,
        embeddings: Tensor,
    ) -> None:
        """Learns what requests are usually taken for; of those that were rewritten that is not known.

        Args:
            dialogues: annotated or not, each with its fold, 0..FOLDS-1.
            features: number the intents.
            tokenizer: cuts requests.
            embeddings: (tokens, width) of words.
        """
        counts: list[Counter[tuple[str, int]]] = [Counter() for _ in range(FOLDS)]
        for turns, fold in dialogues:
            counts[fold].update(
                (turn.request.text, intent_number(features, turn, 0))
                for turn in turns
                if interpretation(turn) is not None and not is_rewritten(turn)
            )
        n_rows, n_intents = self.whole.shape
        moments = torch.zeros((FOLDS, n_rows, n_rows), dtype=torch.double)
        said = torch.zeros((FOLDS, n_rows, n_intents), dtype=torch.double)
        for fold, of_fold in enumerate(counts):
            if of_fold:
                requests = of_fold.most_common(MOST_FITTED)
                vectors = [mean_word(embeddings, tokenizer.tokens(text, None)) for (text, _), _ in requests]
                columns = _columns(torch.stack(vectors).double())  # (requests, 1 + width)
                weighted = columns * torch.tensor([count for _, count in requests]).unsqueeze(-1)
                intents = one_hot(torch.tensor([intent for (_, intent), _ in requests]), n_intents)
                moments[fold] = columns.T @ weighted
                said[fold] = weighted.T @ intents.double()
        penalty = _PENALTY * torch.eye(n_rows)
        self.whole.copy_(torch.linalg.solve(moments.sum(dim=0) + penalty, said.sum(dim=0)))
        self.without.copy_(torch.linalg.solve(moments.sum(dim=0) - moments + penalty, said.sum(dim=0) - said))

    def forward(self, words: Tensor, meant: Tensor, fold: Tensor | None = None) -> Tensor:
        """(turns, USUAL); 0 where there is no interpretation.

        Args:
            words: (turns, width) means of word embeddings of the requests.
            meant: (turns, INTERPRETATIONS) numbers of the intents; `MISSING` where there is none.
            fold: (turns,) that is left out; None: none is.
        """
        columns = _columns(words)
        if fold is None:
            scores = columns @ self.whole  # (turns, intents)
        else:
            without = torch.einsum("tw,fwi->tfi", columns, self.without)
            scores = without[torch.arange(len(fold), device=fold.device), fold]
        mine = scores.gather(1, meant)  # (turns, INTERPRETATIONS)
        each = scores.unsqueeze(1).expand(-1, meant.shape[1], -1)
        others = each.scatter(2, meant.unsqueeze(-1), _NEVER).amax(dim=-1)
        usual = torch.stack([mine, mine - others], dim=-1) * (meant != MISSING).unsqueeze(-1)
        numbers: Tensor = _SCALE * usual.flatten(1)
        return numbers


def mean_word(embeddings: Tensor, tokens: TurnTokens) -> Tensor:
    """Mean of the word embeddings of a request, (width,), from those of all tokens, (tokens, width)."""
    ids = tokens.ids[tokens.request]
    return embeddings[torch.tensor(ids)].mean(dim=0) if ids else embeddings.new_zeros(embeddings.shape[1])


def _columns(words: Tensor) -> Tensor:
    """A constant and the word vectors, of length 1."""
    length = words.norm(dim=-1, keepdim=True).clamp(min=1e-9)
    return torch.cat([torch.full_like(length, _CONSTANT), words / length], dim=-1)
