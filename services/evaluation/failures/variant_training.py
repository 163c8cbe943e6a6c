"""Training of the variants of the failure model, and what each says of a test log.

An assistant's model learns from its own log alone, as `rehear learn` has it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from failure_isolation.errors import FailureTrainingError
from failure_isolation.export import export_failure_model
from failure_isolation.isolator import ModelFailureIsolator
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.settings import FailureSettings
from failure_isolation.training import FailureTraining, passes_over, train_failure_model
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from labeling.annotations.annotation import Annotation
from labeling.models.training_schedule import Progress
from services.evaluation.common.peak_memory import forget_peak_memory, peak_memory_mb
from services.evaluation.common.variant_output import ModelFacts
from services.evaluation.failures.baselines import turn_failure
from services.evaluation.failures.variants import FailureVariant, WithholdingIsolator
from services.session_models.failures.planted import planted_failures
from streams.session import Session
from streams.turn import AssistantId, EventId, TurnEvent

_AT_A_TIME = 64  # sessions: progress is shown in between


class VariantLesson(Struct, frozen=True, kw_only=True):
    """What can be learned of one assistant."""

    assistant_id: AssistantId
    sessions: Sequence[Session]
    annotations: Mapping[EventId, Annotation]
    groups: Sequence[str] | None = None  # of each session: which are alike; None: those of one user

    @property
    def annotated_turns(self) -> int:
        """Turns whose failure point is annotated."""
        return sum(one.failure_point is not None for one in self.annotations.values())


class MadeIsolator(Struct, frozen=True):
    """A trained isolator, and how its training went."""

    isolator: FailureIsolator | None  # None: nothing teaches it
    steps: int
    minutes: float
    turns_per_s: float  # that were read in training
    epochs: int
    why_not: str = ""


TrainFailures = Callable[[VariantLesson, FailureVariant, FailureSettings, Path, Progress], MadeIsolator]
"""Trains a variant; the folder is for its artifact, and stays as long as it is used."""


def train_variant(
    lesson: VariantLesson,
    variant: FailureVariant,
    settings: FailureSettings,
    folder: Path,
    progress: Progress,
) -> MadeIsolator:
    """Trains a failure model with parts hidden, and loads it as it is used.

    Raises:
        EncoderBaseError: there is no such model to start from.
    """
    training = FailureTraining.of(settings)
    training = replace(training, hidden=training.hidden | variant.hidden)
    started, n_steps = perf_counter(), 0

    def count(stage: str, done: int, total: int) -> None:
        nonlocal n_steps
        n_steps = total
        progress(stage, done, total)

    planted = planted_failures(settings.planted_turns, settings.seed)
    groups = lesson.groups
    if groups is not None:
        groups = [*groups, *(turns[0].user_id for turns in planted.dialogues)]
    try:
        trained = train_failure_model(
            [*(session.turns for session in lesson.sessions), *planted.dialogues],
            {**lesson.annotations, **planted.annotations},
            training,
            count,
            groups,
        )
    except FailureTrainingError as error:
        return MadeIsolator(None, 0, 0.0, 0.0, 0, str(error))
    export_failure_model(trained, folder, coverage=settings.coverage)
    seconds = perf_counter() - started
    read = n_steps * training.batch_turns
    return MadeIsolator(
        ModelFailureIsolator.load(folder),
        n_steps,
        round(seconds / 60, 3),
        round(read / seconds, 1),
        training.passes or passes_over(trained.turns),
    )


class FailureWorkshop(Struct, frozen=True):
    """Makes what variants say; a model that several variants use is trained once."""

    lessons: Mapping[AssistantId, VariantLesson]
    settings: FailureSettings  # the variants change them
    train: TrainFailures
    folder: Path  # of the models, as long as they are used
    made: dict[tuple[AssistantId, frozenset[str]], MadeIsolator] = {}

    def failures(
        self, variant: FailureVariant, assistant_id: AssistantId, sessions: Sequence[Session], show: Progress
    ) -> tuple[list[TurnFailure], ModelFacts]:
        """What a variant says of the test sessions of one assistant, and how it came about.

        Where nothing teaches it, every class is as likely, and the facts say why.

        Args:
            variant: which.
            assistant_id: whose sessions.
            sessions: to be scored.
            show: is told how far it is.

        Raises:
            EncoderBaseError: there is no such model to start from.
            FailureInputError: there is a session that cannot be taken.
        """
        lesson = self.lessons.get(assistant_id) or VariantLesson(
            assistant_id=assistant_id, sessions=(), annotations={}
        )
        forget_peak_memory()
        key = (assistant_id, frozenset[str](variant.hidden))
        is_new = key not in self.made
        if is_new:
            folder = self.folder / str(len(self.made))
            self.made[key] = self.train(lesson, variant, self.settings, folder, show)
        made = self.made[key]
        isolator = made.isolator or _Clueless()
        if variant.withheld is not None:
            isolator = WithholdingIsolator(isolator, variant.withheld)
        started = perf_counter()
        failures: list[TurnFailure] = []
        for start in range(0, len(sessions), _AT_A_TIME):
            some = [session.turns for session in sessions[start : start + _AT_A_TIME]]
            failures += (one for of_session in isolator.isolate(some) for one in of_session)
            show("isolating", min(start + _AT_A_TIME, len(sessions)), len(sessions))
        return failures, ModelFacts(
            assistant_id=assistant_id,
            turns=sum(len(session.turns) for session in lesson.sessions),
            annotated_turns=lesson.annotated_turns,
            epochs=made.epochs if is_new else 0,
            steps=made.steps if is_new else 0,
            training_minutes=made.minutes if is_new else 0.0,
            training_turns_per_s=made.turns_per_s if is_new else 0.0,
            labelled_turns=len(failures),
            labelling_turns_per_s=round(len(failures) / max(perf_counter() - started, 1e-9), 1),
            peak_memory_mb=round(peak_memory_mb(), 1),
            why_not=made.why_not,
        )


class _Clueless:
    """In the place of a model that could not be trained: abstains from every turn."""

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        even = np.full(len(FAILURE_POINTS), 1 / len(FAILURE_POINTS))
        return [
            [
                replace(turn_failure(turn.event_id, even), failure_point="correct", abstains=True)
                for turn in turns
            ]
            for turns in sessions
        ]
