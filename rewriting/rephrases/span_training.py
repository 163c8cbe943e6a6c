"""Training of the span model: where the next try of each request is, or that there is none.

The labels are links with probabilities (`WeakRephrases`, or people's): the loss is the cross entropy between
them and the model's distribution over the spans. What the labels were made of is in part what the model
reads, so each `Part` (time, signals, responses, likeness, the words of the source) is hidden from it in some
of the examples: it must learn to tell a rephrase from what is left, and cannot just repeat one rule.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import get_args

import numpy as np
import structlog
import torch
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from labeling.models.encoder_base import choose_device, load_base, padded
from labeling.models.gradient_steps import mixed_precision, optimizer_of, take_steps
from labeling.models.training_schedule import Progress
from labeling.models.training_settings import ModelTraining, require_at_least, require_positive
from labeling.turns.dialogue_part import parts_by_chance
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.dialogue_tokenizer import (
    REQUEST_TOKENS,
    RESPONSE_TOKENS,
    DialogueTokenizer,
    Part,
    SpanInput,
)
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.span_model import SpanModel, span_scores
from rewriting.rephrases.turn_pair import candidates_by_source
from streams.turn import EventId, TurnEvent

log = structlog.get_logger()

HELD_BACK = 0.05
"""Share of the sessions on which the scores are calibrated."""

_BATCHES_SORTED = 50  # sequences of alike length make a batch within so many, so little is padded
_TURN_TOKENS = REQUEST_TOKENS + RESPONSE_TOKENS + 10
"""A turn has at most so many, special ones included. Some models number positions from 2, which the places
for two tokens are kept for."""


class SpanTraining(ModelTraining, frozen=True, kw_only=True):
    """Settings of the training."""

    layers: int | None = 3
    window_turns: int = 4
    window_s: float = 120.0
    hidden: frozenset[Part] = frozenset()
    """Parts that the model never reads, not even in use."""

    hidden_share: float = 0.2
    """Probability that a part is hidden from an example. At 0 the model repeats the labels' rule; at 0.5 it
    hardly sees all parts together."""

    epochs: int = 2
    most_examples: int = 20_000
    """Sources; of more, some are drawn. Ends the training in minutes whatever the size of the log."""

    batch_size: int = 32
    learning_rate: float = 2e-4
    """At its highest. Three layers with new heads stand more than six do."""

    @classmethod
    def of(cls, settings: RephraseSettings, hidden: frozenset[Part] = frozenset()) -> "SpanTraining":
        """What can be set of it."""
        return cls(
            base=settings.base,
            layers=settings.layers,
            window_turns=settings.window_turns,
            window_s=settings.window_s,
            hidden=hidden,
            most_examples=settings.most_examples,
            learning_rate=settings.learning_rate,
            seed=settings.seed,
            device=settings.device,
        )


class SpanExample(Struct, frozen=True):
    """A source request, the candidates, and where its next try is."""

    turns: Sequence[TurnEvent]
    source: int
    targets: tuple[int, ...]
    labels: tuple[float, ...]  # probability of none, and of each candidate; sums to 1


class TrainedSpans(Struct, frozen=True):
    """A span model with what is needed to use it."""

    model: SpanModel
    temperature: float  # scores are divided by it before they are normalised
    training: SpanTraining
    sources: tuple[EventId, ...]  # the requests that it learned from

    @property
    def examples(self) -> int:
        """How many requests it learned from."""
        return len(self.sources)


def train_span_model(
    sessions: Sequence[Sequence[TurnEvent]],
    links: Sequence[Sequence[RephraseLink]],
    training: SpanTraining | None = None,
    progress: Progress | None = None,
    sources: Sequence[Collection[int]] | None = None,
) -> TrainedSpans:
    """Trains a span model; the same arguments give the same weights on the same machine.

    Args:
        sessions: turns of each, in order.
        links: of each, with probabilities as scores; a pair without a link is no rephrase.
        training: the defaults where None.
        progress: is told of each step.
        sources: of each session, the positions of the requests to learn from; None: all.

    Raises:
        EncoderBaseError: there is no such model to start from.
        RephraseTrainingError: no request follows another, or a setting is out of range.
    """
    training = training or SpanTraining()
    _check(training)
    generator = np.random.default_rng(training.seed)
    examples = span_examples(sessions, links, training, sources)
    if len(examples) < 2:
        raise RephraseTrainingError("no request follows another one: there is nothing to learn from")
    drawn = generator.permutation(len(examples))[: training.most_examples].tolist()
    held_back = max(1, int(len(drawn) * HELD_BACK))
    device = choose_device(training.device)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        base = load_base(training.base, layers=training.layers)
        places = int(base.transformer.config.max_position_embeddings)  # type: ignore[union-attr,arg-type]  # it has one
        most_tokens = min(places - 2, _TURN_TOKENS * (training.window_turns + 1))
        model = SpanModel(base, DialogueTokenizer.of(base.tokenizer, most_tokens)).to(device)
        learned = [examples[i] for i in drawn[held_back:]]
        _learn(model, learned, training, generator, device, progress)
    kept = [examples[i] for i in drawn[:held_back]]
    temperature = _temperature(model, kept, training, device)
    log.debug("span model trained", examples=len(learned), temperature=temperature)
    requests = tuple(EventId(example.turns[example.source].event_id) for example in learned)
    return TrainedSpans(model.cpu().eval(), temperature, training, requests)


def span_examples(
    sessions: Sequence[Sequence[TurnEvent]],
    links: Sequence[Sequence[RephraseLink]],
    training: SpanTraining,
    sources: Sequence[Collection[int]] | None = None,
) -> list[SpanExample]:
    """Every request that has a candidate, in the order of the sessions; those of `sources`, where given."""
    examples = []
    for number, (turns, linked) in enumerate(zip(sessions, links, strict=True)):
        scores = {(link.source, link.target): link.score for link in linked}
        candidates = candidates_by_source(turns, training.window_turns, training.window_s)
        for source, targets in candidates.items():
            if sources is not None and source not in sources[number]:
                continue
            rephrased = [min(max(scores.get((source, target), 0.0), 0.0), 1.0) for target in targets]
            labels = [max(0.0, 1 - sum(rephrased)), *rephrased]
            total = sum(labels)
            examples.append(
                SpanExample(turns, source, tuple(targets), tuple(label / total for label in labels))
            )
    return examples


def _learn(
    model: SpanModel,
    examples: Sequence[SpanExample],
    training: SpanTraining,
    generator: np.random.Generator,
    device: torch.device,
    progress: Progress | None,
) -> None:
    def loss_of(batch: Sequence[tuple[SpanInput, Sequence[float]]]) -> Tensor:
        with mixed_precision(device):
            return _loss(model, batch, device)

    optimizer = optimizer_of(model, training.learning_rate, training.weight_decay)
    batches = _batches(model, examples, training, generator)
    n_batches = training.epochs * math.ceil(len(examples) / training.batch_size)
    take_steps(model, optimizer, batches, n_batches, loss_of, "reading dialogues", progress)


def _batches(
    model: SpanModel,
    examples: Sequence[SpanExample],
    training: SpanTraining,
    generator: np.random.Generator,
) -> Iterator[list[tuple[SpanInput, Sequence[float]]]]:
    """All batches of all epochs, in order; what is hidden is drawn anew in each epoch."""
    parts: tuple[Part, ...] = get_args(Part)
    for _ in range(training.epochs):
        order = generator.permutation(len(examples)).tolist()
        at_once = training.batch_size * _BATCHES_SORTED
        for start in range(0, len(order), at_once):
            built = []
            for position in order[start : start + at_once]:
                by_chance = parts_by_chance(parts, training.hidden_share, generator)
                built.append(_built(model, examples[position], training.hidden | by_chance))
            built.sort(key=lambda one: len(one[0].ids))
            batches = [built[i : i + training.batch_size] for i in range(0, len(built), training.batch_size)]
            for i in generator.permutation(len(batches)).tolist():
                yield batches[i]


def _built(
    model: SpanModel, example: SpanExample, hidden: frozenset[Part]
) -> tuple[SpanInput, Sequence[float]]:
    sequence = model.tokenizer.sequence(example.turns, example.source, example.targets, hidden)
    n_left_out = len(example.targets) - len(sequence.targets)
    if not n_left_out:
        return sequence, example.labels
    kept = list(example.labels[: len(sequence.spans)])
    kept[0] += sum(example.labels[len(sequence.spans) :])  # what cannot be pointed at is none
    return sequence, kept


def _loss(
    model: SpanModel, batch: Sequence[tuple[SpanInput, Sequence[float]]], device: torch.device
) -> Tensor:
    """Mean cross entropy over a batch: a scalar."""
    scores, known = _scores(model, [sequence for sequence, _ in batch], device)  # (batch, spans) each
    labels = torch.zeros(scores.shape)
    for row, (_, of_row) in enumerate(batch):
        labels[row, : len(of_row)] = torch.tensor(of_row)
    return -(labels.to(device) * scores.masked_fill(~known, 0)).sum(dim=-1).mean()


def _scores(model: SpanModel, sequences: Sequence[SpanInput], device: torch.device) -> tuple[Tensor, Tensor]:
    """Log probabilities of the spans, and which of them are not padding: (batch, spans) each."""
    input_ids, mask = padded([sequence.ids for sequence in sequences], device)  # (batch, tokens) each
    types, _ = padded([sequence.types for sequence in sequences], device)
    most = max(len(sequence.spans) for sequence in sequences)
    spans = torch.zeros((len(sequences), most, 2), dtype=torch.long)
    known = torch.zeros((len(sequences), most), dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        spans[row, : len(sequence.spans)] = torch.tensor(sequence.spans)
        known[row, : len(sequence.spans)] = True
    logits = model(input_ids, mask, types).float()  # (batch, tokens, 2)
    known = known.to(device)
    return span_scores(logits, spans.to(device), known), known


def _temperature(
    model: SpanModel, examples: Sequence[SpanExample], training: SpanTraining, device: torch.device
) -> float:
    """The temperature under which the scores fit held-back labels best (Guo et al., 2017)."""
    model.eval()
    built = sorted(
        (_built(model, example, training.hidden) for example in examples), key=lambda one: len(one[0].ids)
    )
    pairs: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    with torch.no_grad():
        for start in range(0, len(built), training.batch_size):
            batch = built[start : start + training.batch_size]
            scores, _ = _scores(model, [sequence for sequence, _ in batch], device)
            for of_row, (_, labels) in zip(scores.cpu().numpy(), batch, strict=True):
                pairs.append((of_row[: len(labels)].astype(np.float64), np.array(labels)))

    def loss(log_temperature: float) -> float:
        total = 0.0
        for scores, labels in pairs:
            scaled = scores / math.exp(log_temperature)
            total -= float(labels @ (scaled - np.logaddexp.reduce(scaled)))
        return total / len(pairs)

    found = minimize_scalar(loss, bounds=(-2.0, 2.0), method="bounded")
    return math.exp(float(found.x))


def _check(training: SpanTraining) -> None:
    require_at_least(training, RephraseTrainingError, window_turns=1, epochs=1, most_examples=2, batch_size=1)
    if not training.window_s > 0:
        raise RephraseTrainingError(f"window_s is {training.window_s}: it must be above 0")
    if not 0 <= training.hidden_share < 1:
        raise RephraseTrainingError(f"hidden_share is {training.hidden_share}: it must be in [0, 1)")
    require_positive(training, RephraseTrainingError, "learning_rate")
