"""Baseline: a cross-encoder that reads two requests at once, and nothing around them.

It learns from the same weak links as the detector, with as many layers: what it lacks is the dialogue.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from labeling.models.training_schedule import Progress
from rewriting.encoders.export import export_pair_encoder
from rewriting.encoders.pair_training import LabelledPair, PairEncoderTraining, train_on_pairs
from rewriting.encoders.text_encoder import PairEncoder
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.turn_pair import candidate_pairs
from services.evaluation.errors import BaselineError
from services.evaluation.rephrases.baselines import (
    WEAKLY_LINKED,
    Sessions,
    TextPair,
    TextPairDetector,
    WeakLinks,
    text_pair,
)

WRONG_PAIRS = 4
"""For each right one, at most. In long dialogues there are twenty, and few right ones would be read."""


class TextPairReader(Struct, frozen=True):
    """A `TextPairScorer`."""

    encoder: PairEncoder

    def score(self, pairs: Sequence[TextPair]) -> NDArray[np.float32]:
        """As `TextPairScorer` says. Pairs of like lengths go together, so that little is padded."""
        by_length = sorted(range(len(pairs)), key=lambda number: sum(map(len, pairs[number])))
        scores = np.empty(len(pairs), dtype=np.float32)
        scores[by_length] = self.encoder.score_pairs([pairs[number] for number in by_length])
        return scores


def train_cross_encoder(
    sessions: Sessions,
    weak: WeakLinks,
    settings: RephraseSettings,
    folder: Path,
    training: PairEncoderTraining | None = None,
    progress: Progress | None = None,
) -> TextPairDetector:
    """Trains the cross-encoder on a training log.

    Args:
        sessions: of the log.
        weak: the links of each session.
        settings: of the detector that it is compared with: windows, base, layers, seed, device.
        folder: where it is exported to; nothing lies there yet.
        training: other settings of its training.
        progress: is told of each step.

    Raises:
        BaselineError: there are no weak links.
        EncoderBaseError: there is no such model to start from.
    """
    training = replace(
        training or PairEncoderTraining(),
        base=settings.base,
        layers=settings.layers,
        seed=settings.seed,
        device=settings.device,
    )
    model = train_on_pairs(weak_pairs(sessions, weak, settings), training, progress)
    export_pair_encoder(model, folder, quantised=False)
    return TextPairDetector(TextPairReader(PairEncoder.load(folder)), settings)


def weak_pairs(sessions: Sessions, weak: WeakLinks, settings: RephraseSettings) -> list[LabelledPair]:
    """Pairs of texts with what the weak links say of them, and how surely; wrong ones drawn at random.

    Raises:
        BaselineError: there are no weak links.
    """
    right: list[LabelledPair] = []
    wrong: list[LabelledPair] = []
    for turns, links in zip(sessions, weak, strict=True):
        score_of = {(link.source, link.target): link.score for link in links}
        for source, target in candidate_pairs(turns, settings.window_turns, settings.window_s):
            score = score_of.get((source, target), 0.0)
            weight = abs(2 * score - 1)
            if weight > 0:
                is_right = score >= WEAKLY_LINKED
                pair = LabelledPair(*text_pair(turns[source], turns[target]), is_right, weight)
                (right if is_right else wrong).append(pair)
    if not right:
        raise BaselineError(
            "the training log shows no second tries, so no cross-encoder can learn from it: give a longer log"
        )
    drawn = np.random.default_rng(settings.seed).permutation(len(wrong))[: WRONG_PAIRS * len(right)]
    return [*right, *(wrong[number] for number in sorted(drawn.tolist()))]
