"""Label generation: the label model in use of each assistant, and sessions labelled by it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from labeling.labels.turn_label import LabelGenerator, TurnLabel
from services.session_models.in_use import CurrentModels, LoadableKind
from services.settings import Settings
from streams.session import Session
from streams.turn import AssistantId

LABEL_DIGITS = 4
"""Decimals of a label that are kept; more would differ with what a session is labelled together with."""

LoadGenerator = Callable[[Path], LabelGenerator]

_PROBABILITIES = "goal_success", "defect", "dissatisfaction", "dialogue_dissatisfaction"


def load_generator(folder: Path) -> LabelGenerator:
    """Loads a label model from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    from labeling.labels.generator import ModelLabelGenerator  # ONNX Runtime: not before it is needed

    return ModelLabelGenerator.load(folder)


def current_generators(
    engine: Engine, state: Path, load: LoadGenerator = load_generator
) -> CurrentModels[LabelGenerator]:
    """The label models that are in use."""
    return CurrentModels(engine, state, LoadableKind("labels", load, "no labels are given"))


def current_generator(engine: Engine, settings: Settings, assistant_id: AssistantId) -> LabelGenerator | None:
    """The label model of an assistant, for one job; None where there is none, or none that can be used."""
    found = current_generators(engine, Path(settings.state).absolute()).of(assistant_id)
    return None if found is None else found[1]


def label_sessions(generator: LabelGenerator, sessions: Sequence[Session]) -> list[list[TurnLabel]]:
    """The labels of each turn of each session, rounded.

    Raises:
        LabelInputError: there is a session that cannot be labelled.
    """
    labelled = generator.label([session.turns for session in sessions])
    return [[_rounded(label) for label in labels] for labels in labelled]


def _rounded(label: TurnLabel) -> TurnLabel:
    given = {name: value for name in _PROBABILITIES if (value := getattr(label, name)) is not None}
    return msgspec.structs.replace(
        label,
        **{name: round(float(value), LABEL_DIGITS) for name, value in given.items()},
        confidence={name: round(float(value), LABEL_DIGITS) for name, value in label.confidence.items()},
    )
