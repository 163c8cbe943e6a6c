"""Label models as session models: how they are loaded, and sessions labelled by them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from labeling.errors import LabelInputError
from labeling.labels.store import LABEL_STORE
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from services.session_models.kind import SessionModelKind
from streams.session import Session

LABEL_DIGITS = 4
"""Decimals of a label that are kept; more would differ with what a session is labelled together with."""

_PROBABILITIES = "goal_success", "defect", "dissatisfaction", "dialogue_dissatisfaction"


def load_generator(folder: Path) -> LabelGenerator:
    """Loads a label model from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    from labeling.labels.generator import ModelLabelGenerator  # ONNX Runtime: not before it is needed

    return ModelLabelGenerator.load(folder)


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


KIND: Final = SessionModelKind[LabelGenerator, list[TurnLabel]](
    name="labels",
    load=load_generator,
    judge=label_sessions,
    refusal=LabelInputError,
    known=LABEL_STORE.known,
    title="label model",
    without="no labels are given",
    remedy="make one with `rehear learn` on its log",
)
