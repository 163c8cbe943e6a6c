"""Training of the pair encoder: whether a candidate is what a query meant, by binary cross entropy.

Right pairs are those of the examples; wrong ones are their queries with hard negatives, and with texts drawn
at random, which keep it from scoring what has nothing in common.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import structlog
import torch
from msgspec import Struct
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from labeling.errors import EncoderTrainingError
from labeling.models.encoder_base import MAX_TOKENS, choose_device, load_base, padded
from labeling.models.gradient_steps import mixed_precision, optimizer_of, take_steps
from labeling.models.training_schedule import Progress, drawn_batches
from labeling.models.training_settings import ModelTraining, require_at_least, require_positive
from rewriting.encoders.example import EncoderExample, require_weights
from rewriting.encoders.hard_negatives import HardNegatives, meanings_of_queries
from rewriting.encoders.model import PairEncoderModel

log = structlog.get_logger()


class PairEncoderTraining(ModelTraining, frozen=True, kw_only=True):
    """Settings of the training of the pair encoder."""

    layers: int | None = 2
    """The first layers of the base that are kept; None: all. Every candidate of a request goes through them,
    so each costs the request its time."""

    max_tokens: int = MAX_TOKENS

    sound_negatives: int = 2
    slot_negatives: int = 1
    random_negatives: int = 1
    """Wrong candidates of each query. Raised, wrong pairs outnumber right ones and scores fall."""

    batch_size: int = 32
    """Pairs."""

    epochs: int = 3
    most_steps: int = 1_500
    """Ends the training in minutes whatever the size of the log."""

    learning_rate: float = 2e-4
    """At its highest: it rises over the first tenth of the steps and falls to 0. Two layers stand more than
    six do."""


class LabelledPair(Struct, frozen=True):
    """A query and a candidate, and whether the candidate is what was meant."""

    query: str
    candidate: str
    is_right: bool
    weight: float  # above 0: what it counts beside the others


def train_pair_encoder(
    examples: Sequence[EncoderExample],
    known: Mapping[str, str],
    settings: PairEncoderTraining | None = None,
    progress: Progress | None = None,
) -> PairEncoderModel:
    """Trains a pair encoder; the same arguments give the same weights on the same machine.

    Args:
        examples: of what was said and meant; at least one.
        known: interpretation of each text that succeeded; texts normalised.
        settings: the defaults where None.
        progress: is told of each step.

    Raises:
        EncoderBaseError: there is no such model to start from.
        EncoderTrainingError: there are no examples, or a setting or a weight is out of range.
    """
    settings = settings or PairEncoderTraining()
    if not examples:
        raise EncoderTrainingError(
            "no examples to train a pair encoder from: learn from more of the log first"
        )
    _check_settings(settings)
    require_weights([example.weight for example in examples], "example")
    return train_on_pairs(labelled_pairs(examples, known, settings), settings, progress)


def train_on_pairs(
    pairs: Sequence[LabelledPair],
    settings: PairEncoderTraining | None = None,
    progress: Progress | None = None,
) -> PairEncoderModel:
    """Trains a pair encoder on given pairs; the same arguments give the same weights on the same machine.

    Args:
        pairs: right and wrong ones, in any order; at least one.
        settings: the defaults where None. What it says of negatives does not matter here.
        progress: is told of each step.

    Raises:
        EncoderBaseError: there is no such model to start from.
        EncoderTrainingError: there are no pairs, or a setting or a weight is out of range.
    """
    settings = settings or PairEncoderTraining()
    if not pairs:
        raise EncoderTrainingError("no pairs to train a pair encoder from: learn from more of the log first")
    _check_settings(settings)
    require_weights([pair.weight for pair in pairs], "pair")
    device = choose_device(settings.device)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        base = load_base(settings.base, layers=settings.layers, max_tokens=settings.max_tokens)
        model = PairEncoderModel(base).to(device)
        batches = drawn_batches(
            len(pairs),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            most_batches=settings.most_steps,
            seed=settings.seed,
        )
        optimizer = optimizer_of(model, settings.learning_rate, settings.weight_decay)

        def loss_of(batch: Sequence[int]) -> Tensor:
            with mixed_precision(device):
                return _loss(model, [pairs[number] for number in batch], device)

        take_steps(model, optimizer, batches, len(batches), loss_of, "training pairs", progress)
    log.debug("pair encoder trained", steps=len(batches))
    return model.cpu().eval()


def labelled_pairs(
    examples: Sequence[EncoderExample], known: Mapping[str, str], settings: PairEncoderTraining
) -> list[LabelledPair]:
    """The pairs to learn from: each example, and its negatives with the same weight."""
    generator = np.random.default_rng(settings.seed)
    negatives = HardNegatives(known).find(
        examples, by_sound=settings.sound_negatives, by_slots=settings.slot_negatives
    )
    meanings = meanings_of_queries(examples, known)
    texts = sorted(known)
    pairs: list[LabelledPair] = []
    for example, hard in zip(examples, negatives, strict=True):
        pairs.append(LabelledPair(example.query, example.positive, True, example.weight))
        drawn = generator.integers(max(1, len(texts)), size=settings.random_negatives).tolist()
        others = [
            text
            for text in (texts[position] for position in drawn if texts)
            if text not in (example.query, example.positive) and known[text] not in meanings[example.query]
        ]
        wrong = dict.fromkeys([*hard, *others])
        pairs += [LabelledPair(example.query, text, False, example.weight) for text in wrong]
    return pairs


def _loss(model: PairEncoderModel, batch: Sequence[LabelledPair], device: torch.device) -> Tensor:
    """Weighted mean over a batch: a scalar."""
    tokens = [model.base.tokenizer.pair_ids(pair.query, pair.candidate) for pair in batch]
    input_ids, mask = padded([ids for ids, _ in tokens], device)  # (batch, tokens) each
    types, _ = padded([types for _, types in tokens], device)
    right = torch.tensor([float(pair.is_right) for pair in batch], device=device)  # (batch,)
    weights = torch.tensor([pair.weight for pair in batch], device=device)  # (batch,)
    logits = model(input_ids, mask, types).float()  # (batch,)
    return binary_cross_entropy_with_logits(logits, right, weights / weights.sum(), reduction="sum")


def _check_settings(settings: PairEncoderTraining) -> None:
    require_at_least(
        settings,
        EncoderTrainingError,
        batch_size=1,
        most_steps=1,
        epochs=0,
        sound_negatives=0,
        slot_negatives=0,
        random_negatives=0,
        weight_decay=0,
    )
    require_positive(settings, EncoderTrainingError, "learning_rate")
