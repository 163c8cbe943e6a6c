"""Training of the label model: first what fits together in a log, then all labels at once.

Each time a dialogue is read, it is read for the labels that share what is hidden for them (`space_views`).
Other parts are hidden by chance, so that logs without them are labelled as well. The losses of the labels are
weighted by what the model itself finds uncertain (Kendall et al., 2018).
"""

import math
from collections.abc import Callable, Sequence
from typing import get_args

import numpy as np
import structlog
import torch
from msgspec import Struct
from torch import Tensor

from labeling.annotations.annotation import Annotations
from labeling.errors import LabelTrainingError
from labeling.labels.batch import DialogueExample, batch_losses, encode, fit_loss
from labeling.labels.model import LabelModel
from labeling.labels.response_swaps import KINDS, Responses
from labeling.labels.settings import LabelSettings
from labeling.labels.space import space_views
from labeling.labels.targets import TurnTarget, WeakLabels, dialogue_targets, label_space
from labeling.labels.turn_label import LabelName
from labeling.models.encoder_base import choose_device
from labeling.models.gradient_steps import (
    mixed_precision,
    optimizer_over_encoder,
    take_steps,
)
from labeling.models.roberta_base import roberta_base
from labeling.models.training_schedule import Progress
from labeling.models.training_settings import DialogueTraining
from labeling.turns.dialogue_batches import epoch_batches, held_back
from labeling.turns.dialogue_part import NO_CONTEXT, NOTHING_HIDDEN, Part, parts_by_chance
from labeling.turns.features import TurnFeatures
from labeling.turns.texts import said_by
from labeling.turns.tokenizer import MOST_TOKENS, TurnTokenizer
from streams.turn import TurnEvent

log = structlog.get_logger()

WINDOW_TURNS = 24
"""Turns of a dialogue that are learned from at once; longer ones are cut."""

LEAST_READ = 40_000
"""Turns that the preset `small` reads at least: two passes over 20,000."""

MOST_EPOCHS = 6
"""Passes over few turns: with more, they are learned by heart."""

_SWAPPED = 0.3  # share of the turns, in pre-training


class LabelTraining(DialogueTraining, frozen=True, kw_only=True):
    """Settings of the training."""

    context: bool = True
    epochs: int = 2
    """Of these, one more for each group of labels that has something hidden of its own."""

    least_read: int = 0
    """Turns that are read at least, all passes together: of few turns there are more passes, up to
    `MOST_EPOCHS`."""

    pretraining_epochs: int = 1
    """0: no pre-training."""

    most_turns: int | None = 20_000
    """Turns of an epoch; of more, other dialogues are drawn in each epoch. None: all."""

    batch_turns: int = 48

    @classmethod
    def of(cls, settings: LabelSettings) -> "LabelTraining":
        """What can be set of it."""
        small = settings.preset == "small"
        return cls(
            base=settings.base,
            layers=3 if small else None,
            context=settings.context,
            epochs=settings.passes or (2 if small else 4),
            least_read=LEAST_READ if small and settings.passes is None else 0,
            pretraining_epochs=int(settings.pretrain),
            most_turns=settings.most_turns or (20_000 if small else None),
            seed=settings.seed,
            device=settings.device,
        )


class LabelledDialogue(Struct, frozen=True):
    """A dialogue, or a stretch of a long one, and what is learned of its turns."""

    turns: Sequence[TurnEvent]
    targets: Sequence[TurnTarget]


class TrainedLabels(Struct, frozen=True, kw_only=True):
    """A label model, and what was kept back to calibrate it."""

    model: LabelModel
    tokenizer: TurnTokenizer
    base: str
    training: LabelTraining
    held_back: Sequence[LabelledDialogue]  # that were not learned from
    turns: int  # that were learned from, at least once
    why_not: dict[LabelName, str]  # the labels that nothing taught


def train_label_model(
    dialogues: Sequence[Sequence[TurnEvent]],
    annotations: Annotations,
    weak: WeakLabels | None = None,
    training: LabelTraining | None = None,
    progress: Progress | None = None,
) -> TrainedLabels:
    """Trains a label model; the same arguments give the same weights on the same machine.

    Args:
        dialogues: turns of each, in order.
        annotations: by event.
        weak: what the log itself shows, of each dialogue.
        training: the defaults where None.
        progress: is told of each step.

    Raises:
        EncoderBaseError: there is no such model to start from.
        LabelTrainingError: nothing teaches any label, or there are too few dialogues.
    """
    training = training or LabelTraining()
    space, why_not = label_space(dialogues, annotations, weak)
    if not space.tasks:
        raise LabelTrainingError(
            "nothing teaches any label: " + "; ".join(f"{task}: {why}" for task, why in why_not.items())
        )
    if len(dialogues) < 2:
        raise LabelTrainingError(f"there are {len(dialogues)} dialogues: too few to learn from")
    generator = np.random.default_rng(training.seed)
    kept_back, learned = held_back(dialogues, generator)

    def labelled(number: int) -> LabelledDialogue:
        shown = weak.dialogues[number] if weak is not None else None
        return LabelledDialogue(
            dialogues[number], dialogue_targets(dialogues[number], space, annotations, shown)
        )

    stretches = [stretch for number in learned for stretch in _stretches(labelled(number))]
    known = [
        stretch
        for stretch in stretches
        if any(target.tells(task) for target in stretch.targets for task in get_args(LabelName))
    ]
    if not known:
        raise LabelTrainingError("no dialogue that is learned from has a label: annotate more of them")
    device = choose_device(training.device)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        texts = [text for number in learned for turn in dialogues[number] for text in _texts(turn)]
        base = roberta_base(texts, base=training.base, layers=training.layers, max_tokens=MOST_TOKENS)
        features = TurnFeatures.fit(dialogues[number] for number in learned)
        model = LabelModel(base.transformer, base.width, features, space).to(device)
        tokenizer = TurnTokenizer(base.tokenizer)
        trainer = _Trainer(model, tokenizer, training, generator, device, progress)
        if training.pretraining_epochs:
            trainer.pretrain(stretches)
        trainer.learn(known)
    log.debug("label model trained", dialogues=len(known), tasks=space.tasks)
    n_turns = sum(len(stretch.turns) for stretch in known)
    return TrainedLabels(
        model=model.cpu().eval(),
        tokenizer=tokenizer,
        base=base.name,
        training=training,
        held_back=[labelled(number) for number in kept_back],
        turns=n_turns,
        why_not=why_not,
    )


class _Trainer(Struct, frozen=True):
    """The steps of one training."""

    model: LabelModel
    tokenizer: TurnTokenizer
    training: LabelTraining
    generator: np.random.Generator
    device: torch.device
    progress: Progress | None

    def pretrain(self, dialogues: Sequence[LabelledDialogue]) -> None:
        """Learns which responses belong where they are."""
        answered = [one for one in dialogues if any(said_by(turn) is not None for turn in one.turns)]
        if not answered:
            return  # a log without responses
        responses = Responses.of([one.turns for one in answered])

        def example(dialogue: LabelledDialogue) -> DialogueExample:
            return self._with_swaps(dialogue, responses)

        self._run("which responses fit", self.training.pretraining_epochs, answered, example, self._fit)

    def learn(self, dialogues: Sequence[LabelledDialogue]) -> None:
        """Learns all labels."""
        views = space_views(self.model.space)
        # Between one for each view and one for each label, among the views that a dialogue says something of.
        shares = np.sqrt([len(tasks) for _, tasks in views])

        def example(dialogue: LabelledDialogue) -> DialogueExample:
            told = [any(one.tells(task) for one in dialogue.targets for task in tasks) for _, tasks in views]
            open_shares = shares * told
            hidden, tasks = views[self.generator.choice(len(views), p=open_shares / open_shares.sum())]
            return DialogueExample(dialogue.turns, self._hidden(hidden), dialogue.targets, tasks)

        n_turns = sum(len(one.turns) for one in dialogues)
        passes = min(math.ceil(self.training.least_read / n_turns), MOST_EPOCHS)
        epochs = max(self.training.epochs, passes) + len(views) - 1
        self._run("labels", epochs, dialogues, example, self._labels)

    def _run(
        self,
        stage: str,
        epochs: int,
        dialogues: Sequence[LabelledDialogue],
        example: Callable[[LabelledDialogue], DialogueExample],
        loss_of: Callable[[Sequence[DialogueExample]], Tensor | None],
    ) -> None:
        """All epochs of a stage."""
        training = self.training
        batches = [
            batch
            for _ in range(epochs)
            for batch in epoch_batches(
                dialogues,
                self.generator,
                batch_turns=training.batch_turns,
                most_turns=training.most_turns,
            )
        ]

        def loss(batch: Sequence[LabelledDialogue]) -> Tensor | None:
            with mixed_precision(self.device):
                return loss_of([example(one) for one in batch])

        optimizer = optimizer_over_encoder(self.model, self.model.turns, training)
        take_steps(self.model, optimizer, batches, len(batches), loss, stage, self.progress)

    def _fit(self, examples: Sequence[DialogueExample]) -> Tensor | None:
        encoded = encode(self.model, self.tokenizer, examples, self.device)
        return fit_loss(self.model, encoded, examples, self.device)

    def _labels(self, examples: Sequence[DialogueExample]) -> Tensor | None:
        encoded = encode(self.model, self.tokenizer, examples, self.device)
        losses = batch_losses(self.model, encoded, examples, self.device)
        if not losses:
            return None
        variances = self.model.log_variances
        weighted = [torch.exp(-variances[task]) * loss + variances[task] / 2 for task, loss in losses.items()]
        return torch.stack(weighted).sum()

    def _hidden(self, of_view: frozenset[Part]) -> frozenset[Part]:
        """What is hidden from one reading of a dialogue: by its labels, by chance, and always."""
        parts: tuple[Part, ...] = get_args(Part)
        by_chance = parts_by_chance(parts, self.training.hidden_share, self.generator)
        return of_view | by_chance | (NOTHING_HIDDEN if self.training.context else NO_CONTEXT)

    def _with_swaps(self, dialogue: LabelledDialogue, responses: Responses) -> DialogueExample:
        swapped = {}
        for position, turn in enumerate(dialogue.turns):
            if said_by(turn) is None or self.generator.random() >= _SWAPPED:
                continue
            kind = KINDS[int(self.generator.integers(len(KINDS)))]
            other = responses.swapped(dialogue.turns, position, kind, self.generator)
            if other is None:
                other = responses.swapped(dialogue.turns, position, "other", self.generator)
            if other is not None:
                swapped[position] = other
        # Not hidden here, the status would tell which responses are reports of errors.
        hidden = self._hidden(frozenset({"status", "understanding"})) - {"responses"}
        return DialogueExample(dialogue.turns, hidden, responses=swapped)


def _stretches(dialogue: LabelledDialogue) -> list[LabelledDialogue]:
    return [
        LabelledDialogue(
            dialogue.turns[start : start + WINDOW_TURNS], dialogue.targets[start : start + WINDOW_TURNS]
        )
        for start in range(0, len(dialogue.turns), WINDOW_TURNS)
    ]


def _texts(turn: TurnEvent) -> list[str]:
    said = said_by(turn)
    return [turn.request.text] if said is None else [turn.request.text, said]
