"""Training of the text encoder: requests near what they should have been, far from what merely looks alike.

Query and index side share their weights, so that a text lies in one place whatever it is used for. First the
encoder learns what needs no second try: the log's own understanding (texts of one interpretation belong
together), and to find each text from what a recogniser might make of it. Then it learns the pairs. Both
minimise, over the rows i of a batch,

    -log( exp(s_ii / tau) / sum_c exp(s_ic / tau) )

where s is the inner product of the vectors and c runs over the candidates that are held against row i.
"""

import math
from collections.abc import Mapping, Sequence

import structlog
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from labeling.errors import EncoderTrainingError
from labeling.models.encoder_base import MAX_TOKENS, choose_device, load_base, padded
from labeling.models.gradient_steps import optimizer_of, take_steps
from labeling.models.training_schedule import Progress, drawn_batches
from labeling.models.training_settings import ModelTraining, require_at_least, require_positive
from rewriting.encoders.batch import TrainingBatch, training_batch
from rewriting.encoders.example import EncoderExample, require_weights, understanding_examples
from rewriting.encoders.hard_negatives import HardNegatives, meanings_of_queries
from rewriting.encoders.misheard import misheard_examples
from rewriting.encoders.model import TextEncoderModel

log = structlog.get_logger()

_TEXTS_AT_A_TIME = 32  # through the model: more are padded more, fewer leave the processor waiting


class EncoderTraining(ModelTraining, frozen=True, kw_only=True):
    """Settings of the training of the text encoder."""

    layers: int | None = 3
    """The first layers of the base that are kept; None: all. Raised, encoding and training take longer in
    proportion; lowered, less is known of the language."""

    dimension: int | None = 128
    """Of the vectors; None: the width of the base. Raised, indexes grow in proportion (384 found no more than
    128, beyond chance, in the log of a home assistant); lowered, texts crowd together."""

    max_tokens: int = MAX_TOKENS

    temperature: float = 0.05
    """tau. Raised, near misses are hardly pushed away; lowered, a single false negative rules its row."""

    batch_size: int = 32
    """Rows. Raised, there are more negatives and fewer steps; lowered, steps are noisy."""

    sound_negatives: int = 1
    slot_negatives: int = 1
    """Hard negatives of each row. They are shared by the rows of a batch; each makes a step 1/2 longer."""

    mishearings: int = 2
    """Of each known text, to learn from before the pairs. Raised, the log's own pairs weigh less."""

    pretraining_epochs: int = 1
    epochs: int = 6
    most_steps: int = 150
    """Of each stage, so that training ends in minutes whatever the size of the log: a step takes about half a
    second on two cores. Raised, more is learned of a large log; lowered, less."""

    learning_rate: float = 3e-4
    """At its highest: it rises over the first tenth of the steps and falls to 0. Raised, what the base knows
    of language is lost; lowered, the few steps do not get anywhere."""


def train_text_encoder(
    examples: Sequence[EncoderExample],
    known: Mapping[str, str],
    settings: EncoderTraining | None = None,
    progress: Progress | None = None,
) -> TextEncoderModel:
    """Trains a text encoder; the same arguments give the same weights on the same machine.

    Args:
        examples: of what was said and meant; with none, the encoder learns from `known` alone.
        known: interpretation of each text that succeeded; texts normalised.
        settings: the defaults where None.
        progress: is told of each step.

    Raises:
        EncoderBaseError: there is no such model to start from.
        EncoderTrainingError: a setting or a weight is out of range.
    """
    settings = settings or EncoderTraining()
    _check(examples, settings)
    device = choose_device(settings.device)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        base = load_base(settings.base, layers=settings.layers, max_tokens=settings.max_tokens)
        model = TextEncoderModel(base, settings.dimension).to(device)
        stages = [
            ("pre-training", _pretraining(known, settings), settings.pretraining_epochs),
            ("training", list(examples), settings.epochs),
        ]
        hard = HardNegatives(known)
        for stage, rows, epochs in stages:
            batches = _batches(rows, known, hard, epochs, settings)
            _run(model, stage, batches, settings, progress)
    return model.cpu().eval()


def _pretraining(known: Mapping[str, str], settings: EncoderTraining) -> list[EncoderExample]:
    misheard = misheard_examples(known, settings.mishearings, settings.seed)
    return [*understanding_examples(known), *misheard]


def contrastive_loss(queries: Tensor, candidates: Tensor, batch: TrainingBatch, temperature: float) -> Tensor:
    """The loss of a batch.

    Args:
        queries: (rows, dimension)
        candidates: (candidates, dimension)
        batch: which candidates are compared, and the weights of the rows.
        temperature: tau.

    Returns:
        A scalar.
    """
    similarities = queries @ candidates.T / temperature  # (rows, candidates)
    compared = torch.from_numpy(batch.compared).to(similarities.device)
    own = torch.arange(len(queries), device=similarities.device)
    losses = cross_entropy(similarities.masked_fill(~compared, -math.inf), own, reduction="none")  # (rows,)
    return (losses * torch.from_numpy(batch.weights).to(losses.device)).sum()


def _batches(
    rows: Sequence[EncoderExample],
    known: Mapping[str, str],
    hard: HardNegatives,
    epochs: int,
    settings: EncoderTraining,
) -> list[TrainingBatch]:
    """All batches of a stage, in order."""
    drawn = drawn_batches(
        len(rows),
        epochs=epochs,
        batch_size=settings.batch_size,
        most_batches=settings.most_steps,
        seed=settings.seed,
    )
    used = sorted({row for batch in drawn for row in batch})
    negatives = hard.find(
        [rows[row] for row in used], by_sound=settings.sound_negatives, by_slots=settings.slot_negatives
    )
    negatives_of = dict(zip(used, negatives, strict=True))
    meanings = meanings_of_queries(rows, known)
    return [
        training_batch([rows[row] for row in batch], [negatives_of[row] for row in batch], meanings, known)
        for batch in drawn
    ]


def _run(
    model: TextEncoderModel,
    stage: str,
    batches: Sequence[TrainingBatch],
    settings: EncoderTraining,
    progress: Progress | None,
) -> None:
    def loss_of(batch: TrainingBatch) -> Tensor:
        texts = list(dict.fromkeys([*batch.queries, *batch.candidates]))
        vectors = dict(zip(texts, _encode(model, texts), strict=True))
        queries = torch.stack([vectors[text] for text in batch.queries])
        candidates = torch.stack([vectors[text] for text in batch.candidates])
        return contrastive_loss(queries, candidates, batch, settings.temperature)

    optimizer = optimizer_of(model, settings.learning_rate, settings.weight_decay)
    take_steps(model, optimizer, batches, len(batches), loss_of, stage, progress)
    log.debug("encoder trained", stage=stage, steps=len(batches))


def _encode(model: TextEncoderModel, texts: Sequence[str]) -> Tensor:
    """Vectors of texts: (texts, dimension). Texts of like lengths go together, so little is padded."""
    ids = [model.base.tokenizer.ids(text) for text in texts]
    device = next(model.parameters()).device
    by_length = sorted(range(len(ids)), key=lambda position: len(ids[position]))
    parts = [
        model(*padded([ids[position] for position in by_length[start : start + _TEXTS_AT_A_TIME]], device))
        for start in range(0, len(ids), _TEXTS_AT_A_TIME)
    ]
    return torch.cat(parts)[torch.tensor(by_length, device=device).argsort()]


def _check(examples: Sequence[EncoderExample], settings: EncoderTraining) -> None:
    require_at_least(settings, EncoderTrainingError, batch_size=1, most_steps=1)
    require_at_least(
        settings,
        EncoderTrainingError,
        mishearings=0,
        pretraining_epochs=0,
        epochs=0,
        sound_negatives=0,
        slot_negatives=0,
        weight_decay=0,
    )
    require_positive(settings, EncoderTrainingError, "temperature", "learning_rate")
    if settings.dimension is not None and settings.dimension < 1:
        raise EncoderTrainingError(f"dimension is {settings.dimension}: it must be 1 or more")
    require_weights([example.weight for example in examples], "example")
