"""Training of the variants of the label model, and what each says of a test log.

An assistant's model learns from its own log alone, as `rehear learn` has it.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from msgspec import Struct
from msgspec.structs import replace

from labeling.annotations.annotation import Annotations
from labeling.errors import LabelTrainingError
from labeling.labels.export import export_label_model
from labeling.labels.generator import ModelLabelGenerator
from labeling.labels.settings import LabelSettings
from labeling.labels.targets import WeakLabels, label_space
from labeling.labels.training import LabelTraining, train_label_model
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from labeling.models.training_schedule import Progress
from labeling.turns.dialogue_batches import HELD_BACK, LEAST_HELD_BACK
from services.evaluation.common.peak_memory import forget_peak_memory, peak_memory_mb
from services.evaluation.common.plain_encoder import train_plain_encoder
from services.evaluation.common.variant_output import ModelFacts
from services.evaluation.labels.variants import LEAST_STEPS, LabelVariant
from services.session_models.labels.kind import label_sessions
from streams.session import Session
from streams.turn import AssistantId, EventId, TurnEvent


class Lesson(Struct, frozen=True, kw_only=True):
    """What can be learned of one assistant."""

    assistant_id: AssistantId
    sessions: Sequence[Session]
    annotations: Annotations
    weak: WeakLabels  # of each session

    @property
    def dialogues(self) -> list[Sequence[TurnEvent]]:
        """The turns of each session."""
        return [session.turns for session in self.sessions]


class SilentGenerator:
    """Says nothing, in the place of a model that could not be trained."""

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        """Labels without any label: each session is one goal."""
        return [
            [
                TurnLabel(
                    event_id=EventId(turn.event_id), goal_id=turns[0].event_id, goal_start=position == 0
                )
                for position, turn in enumerate(turns)
            ]
            for turns in sessions
        ]


def variant_training(
    variant: LabelVariant, lesson: Lesson, annotations: Annotations, settings: LabelSettings
) -> LabelTraining:
    """How a variant is trained.

    With a share of the annotations, an epoch has fewer steps where the log by itself teaches nothing; there
    are more epochs then, so that there are about `LEAST_STEPS` steps, if that is more than the settings give.

    Args:
        variant: which.
        lesson: of an assistant.
        annotations: that the variant is told.
        settings: of the system.
    """
    training = LabelTraining.of(variant.settings(settings))
    if variant.annotated in (0.0, 1.0) or not annotations:
        return training
    space, _ = label_space(lesson.dialogues, annotations, lesson.weak)
    taught = [
        turns
        for turns in lesson.dialogues
        if space.from_log or any(EventId(turn.event_id) in annotations for turn in turns)
    ]
    held_back = LEAST_HELD_BACK / sum(len(turns) for turns in lesson.dialogues)  # share, of few turns
    n_turns = (1 - min(max(held_back, HELD_BACK), 0.25)) * sum(len(turns) for turns in taught)
    steps = math.ceil(min(n_turns, training.most_turns or math.inf) / training.batch_turns)
    return replace(training, epochs=max(training.epochs, math.ceil(LEAST_STEPS / max(steps, 1))))


def labels_of_variant(
    variant: LabelVariant,
    lesson: Lesson,
    sessions: Sequence[Session],
    settings: LabelSettings,
    progress: Progress,
) -> tuple[list[TurnLabel], ModelFacts]:
    """Trains a variant for one assistant, and labels its test sessions.

    Where nothing teaches it, the labels say nothing, and the facts say why.

    Args:
        variant: what to train.
        lesson: what it may learn from.
        sessions: of the same assistant, to be labelled.
        settings: of the system.
        progress: is told of each step of the training.

    Raises:
        EncoderBaseError: there is no such model to start from.
        LabelInputError: a session cannot be labelled.
    """
    forget_peak_memory()
    n_steps = 0

    def counted(stage: str, done: int, total: int) -> None:
        nonlocal n_steps
        n_steps += 1
        progress(stage, done, total)

    annotations = variant.annotations(lesson.sessions, lesson.annotations)
    training = variant_training(variant, lesson, annotations, settings)
    why_not = ""
    started = perf_counter()
    with TemporaryDirectory() as folder:
        generator: LabelGenerator
        try:
            if variant.is_plain:
                generator = train_plain_encoder(lesson.dialogues, annotations, training, counted)
            else:
                model = train_label_model(lesson.dialogues, annotations, lesson.weak, training, counted)
                export_label_model(model, Path(folder) / "model", precision=settings.precision)
                generator = ModelLabelGenerator.load(Path(folder) / "model")
        except LabelTrainingError as error:
            generator, why_not = SilentGenerator(), str(error)
        trained = perf_counter()
        labels = [label for of_session in label_sessions(generator, sessions) for label in of_session]
        labelled = perf_counter()
    return labels, ModelFacts(
        assistant_id=lesson.assistant_id,
        turns=sum(len(turns) for turns in lesson.dialogues),
        annotated_turns=len(annotations),
        epochs=training.epochs,
        steps=n_steps,
        training_minutes=round((trained - started) / 60, 3),
        training_turns_per_s=round(n_steps * training.batch_turns / (trained - started), 1),
        labelled_turns=len(labels),
        labelling_turns_per_s=round(len(labels) / (labelled - trained), 1),
        peak_memory_mb=round(peak_memory_mb(), 1),
        why_not=why_not,
    )
