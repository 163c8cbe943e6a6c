"""Training of the failure model, on turns of which somebody said, or a simulation knows, where they failed.

Whole parts of a dialogue are hidden by chance, so that logs that lack some of them are read as well. Rare
classes weigh more than frequent ones; what that does to probabilities is undone by the calibration.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import structlog
import torch
from msgspec import Struct
from torch import Tensor

from failure_isolation.batch import FailureExample, failure_columns, failure_logits
from failure_isolation.errors import FailureTrainingError
from failure_isolation.item_scale import ItemScale
from failure_isolation.model import FailureModel
from failure_isolation.part import PARTS, TRACES, FailurePart
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.settings import FailureSettings
from failure_isolation.trace_item import PLACES
from failure_isolation.usual_intents import FOLDS
from failure_isolation.view import said_texts
from labeling.annotations.annotation import Annotation, FailurePoint
from labeling.models.encoder_base import choose_device
from labeling.models.gradient_steps import (
    mixed_precision,
    optimizer_over_encoder,
    take_steps,
)
from labeling.models.roberta_base import roberta_base
from labeling.models.training_schedule import Progress
from labeling.models.training_settings import DialogueTraining
from labeling.turns.dialogue_batches import epoch_batches, held_back_groups
from labeling.turns.dialogue_part import NO_CONTEXT, NOTHING_HIDDEN, parts_by_chance
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import FURTHER_TOKENS, MOST_TOKENS, TurnTokenizer
from streams.turn import EventId, TurnEvent

log = structlog.get_logger()

LEAST_ANNOTATED = 50
"""Turns whose failure point is known, to learn from: of fewer, chance teaches as much."""

NEIGHBOURS = 8
"""Turns before and after an annotated one that are read in training."""

READ = 45_000
"""Annotated turns that are read in all passes together, about, where the number of passes is not set: of few
turns the network needs more passes, and where that is too often for it, the linear part counts the more."""

LEAST_PASSES = 2
MOST_PASSES = 8

TOKENS = MOST_TOKENS + PLACES * (1 + FURTHER_TOKENS)
"""Of the longest sequence of a turn."""


class FailureTraining(DialogueTraining, frozen=True, kw_only=True):
    """Settings of the training."""

    passes: int | None = None
    """Over the annotated turns; None: by their number."""

    hidden: frozenset[FailurePart] = NOTHING_HIDDEN
    """What is always hidden, in training and in use."""

    batch_turns: int = 24
    """Of a step: with larger ones, a pass over few turns has too few steps."""

    head_rate: float = 5e-4

    @classmethod
    def of(cls, settings: FailureSettings) -> "FailureTraining":
        """What can be set of it."""
        hidden: frozenset[FailurePart] = NOTHING_HIDDEN if settings.context else NO_CONTEXT
        return cls(
            base=settings.base,
            layers=settings.layers,
            passes=settings.passes,
            hidden=hidden if settings.traces else hidden | TRACES,
            seed=settings.seed,
            device=settings.device,
        )


class KnownFailures(Struct, frozen=True):
    """A dialogue, or a stretch of a long one, and the failure points that are known of its turns."""

    turns: Sequence[TurnEvent]
    known: Sequence[FailurePoint | None]  # of each turn
    fold: int = 0  # of the log, 0..FOLDS-1

    @property
    def says_something(self) -> bool:
        """Whether that of any turn is known."""
        return any(point is not None for point in self.known)


class TrainedFailures(Struct, frozen=True, kw_only=True):
    """A failure model, and what was kept back to calibrate it."""

    model: FailureModel
    tokenizer: TurnTokenizer
    base: str
    training: FailureTraining
    held_back: Sequence[KnownFailures]  # that were not learned from
    turns: int  # annotated ones that were learned from
    class_weights: tuple[float, ...]  # by class, 0..1; 0: no turn that was learned from has it


def train_failure_model(
    dialogues: Sequence[Sequence[TurnEvent]],
    annotations: Mapping[EventId, Annotation],
    training: FailureTraining | None = None,
    progress: Progress | None = None,
    groups: Sequence[str] | None = None,
) -> TrainedFailures:
    """Trains a failure model; the same arguments give the same weights on the same machine.

    Args:
        dialogues: turns of each, in order; those without a known failure point teach what requests are
            usually taken for, and nothing else.
        annotations: by event.
        training: the defaults where None.
        progress: is told of each step.
        groups: of each dialogue; those of one group are alike, so that none is held back while another one is
            learned from. None: those of one user.

    Raises:
        EncoderBaseError: there is no such model to start from.
        FailureTrainingError: fewer than `LEAST_ANNOTATED` turns have a known failure point, or all the same,
            or they are of one dialogue.
    """
    training = training or FailureTraining()
    if groups is None:
        groups = [turns[0].user_id if turns else "" for turns in dialogues]
    told = []
    for turns, fold in zip(dialogues, _folds(groups), strict=True):
        said = [annotations.get(EventId(turn.event_id)) for turn in turns]
        told.append(KnownFailures(turns, [one.failure_point if one else None for one in said], fold))
    known = [one for one in told if one.says_something]
    known_groups = [group for group, one in zip(groups, told, strict=True) if one.says_something]
    counts = Counter(point for one in known for point in one.known if point is not None)
    if counts.total() < LEAST_ANNOTATED or len(counts) < 2 or len(known) < 2:
        raise FailureTrainingError(
            f"the failure points of {counts.total()} turns of {len(known)} dialogues are annotated, with "
            f"{len(counts)} different ones: {LEAST_ANNOTATED} turns, 2 dialogues and 2 failure points are "
            "needed; `rehear annotate export` draws turns to annotate"
        )
    generator = np.random.default_rng(training.seed)
    kept_back, learned = held_back_groups([one.turns for one in known], known_groups, generator)
    stretches = [stretch for number in learned for stretch in learned_stretches(known[number])]
    device = choose_device(training.device)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        texts = [
            text for one in stretches for turn in one.turns for text in said_texts(turn, training.hidden)
        ]
        base = roberta_base(texts, base=training.base, layers=training.layers, max_tokens=TOKENS)
        features = TurnFeatures.fit(known[number].turns for number in learned)
        scale = ItemScale.fit((one.turns for one in stretches), training.hidden)
        model = FailureModel(base.transformer, base.width, features, scale)
        tokenizer = TurnTokenizer(base.tokenizer)
        kept = {id(known[number]) for number in kept_back}
        log_turns = [(one.turns, one.fold) for one in told if id(one) not in kept]
        model.mixing.usual.fit(log_turns, features, tokenizer, model.texts.words.weight)
        learned_counts = Counter(point for one in stretches for point in one.known if point is not None)
        class_weights = _class_weights(learned_counts)
        trainer = _Trainer(model, tokenizer, stretches, class_weights, training, generator)
        trainer.fit_linear()
        model.to(device)
        trainer.learn(device, progress)
    log.debug("failure model trained", classes=dict(learned_counts))
    return TrainedFailures(
        model=model.cpu().eval(),
        tokenizer=tokenizer,
        base=base.name,
        training=training,
        held_back=[known[number] for number in kept_back],
        turns=learned_counts.total(),
        class_weights=tuple(class_weights),
    )


def passes_over(turns: int) -> int:
    """How often so many annotated turns are read, where the settings do not say it."""
    return min(max(round(READ / max(turns, 1)), LEAST_PASSES), MOST_PASSES)


def _folds(groups: Sequence[str]) -> list[int]:
    """Of each dialogue; those of one group are in one fold, unless all are of one group."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(group, len(numbers)) % FOLDS for group in groups]
    return found if len(numbers) > 1 else [number % FOLDS for number in range(len(groups))]


class _Trainer(Struct, frozen=True):
    """The steps of one training."""

    model: FailureModel
    tokenizer: TurnTokenizer
    stretches: Sequence[KnownFailures]
    class_weights: Sequence[float]
    training: FailureTraining
    generator: np.random.Generator

    def fit_linear(self) -> None:
        """Each turn is learned as it is, and once more with parts hidden by chance."""
        columns, classes = [], []
        for one in self.stretches:
            rows = [row for row, point in enumerate(one.known) if point is not None]
            for hidden in (self.training.hidden, self._hidden()):
                example = FailureExample(one.turns, hidden, one.fold)
                columns.append(failure_columns(self.model, self.tokenizer, example)[rows])
                classes += [FAILURE_POINTS.index(point) for point in one.known if point is not None]
        weights = np.array(self.class_weights)
        self.model.linear.fit(torch.cat(columns).numpy(), np.array(classes), weights)

    def learn(self, device: torch.device, progress: Progress | None) -> None:
        """The network learns what the linear part leaves over."""
        training = self.training
        n_known = sum(point is not None for one in self.stretches for point in one.known)
        batches = [
            batch
            for _ in range(training.passes or passes_over(n_known))
            for batch in epoch_batches(self.stretches, self.generator, batch_turns=training.batch_turns)
        ]
        weights = torch.tensor(self.class_weights, device=device)

        def loss_of(batch: Sequence[KnownFailures]) -> Tensor:
            examples = [FailureExample(one.turns, self._hidden(), one.fold) for one in batch]
            rows = [
                (row, position, FAILURE_POINTS.index(point))
                for row, one in enumerate(batch)
                for position, point in enumerate(one.known)
                if point is not None
            ]
            at = torch.tensor(rows, device=device).T  # (3, known turns)
            with mixed_precision(device):
                logits = failure_logits(self.model, self.tokenizer, examples, device)
                summed = logits[at[0], at[1]].float().sum(dim=1)  # (known turns, classes)
                return torch.nn.functional.cross_entropy(summed, at[2], weight=weights)

        optimizer = optimizer_over_encoder(self.model, self.model.texts, training)
        take_steps(self.model, optimizer, batches, len(batches), loss_of, "failure points", progress)

    def _hidden(self) -> frozenset[FailurePart]:
        return self.training.hidden | parts_by_chance(PARTS, self.training.hidden_share, self.generator)


def _class_weights(counts: Mapping[FailurePoint, int]) -> list[float]:
    """By the root of how rare a class is: by rarity itself, a few turns would decide."""
    weights = [1 / math.sqrt(counts[point]) if counts.get(point) else 0.0 for point in FAILURE_POINTS]
    return [weight / max(weights) for weight in weights]


def learned_stretches(dialogue: KnownFailures) -> list[KnownFailures]:
    """The turns of a dialogue that are near known ones, cut where many in a row are not."""
    known = [position for position, point in enumerate(dialogue.known) if point is not None]
    found: list[KnownFailures] = []
    first = 0
    while first < len(known):
        last = first
        start = max(known[first] - NEIGHBOURS, 0)
        while last + 1 < len(known) and known[last + 1] - known[last] <= NEIGHBOURS:
            if known[last + 1] - start >= 3 * NEIGHBOURS:
                break
            last += 1
        end = known[last] + NEIGHBOURS + 1
        points = [
            point if known[first] <= position <= known[last] else None
            for position, point in enumerate(dialogue.known)
        ]
        found.append(KnownFailures(dialogue.turns[start:end], points[start:end], dialogue.fold))
        first = last + 1
    return found
