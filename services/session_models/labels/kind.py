"""Label models as session models."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from labeling.errors import LabelInputError, LabelTrainingError
from labeling.labels.columns import LABEL_COLUMNS
from labeling.labels.store import LABEL_STORE
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from services.session_models.kind import SessionModelKind, TurnVerdicts
from services.session_models.labels.effect import LabelEffect
from services.session_models.labels.training import train_labels
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


TURNS: Final = TurnVerdicts(
    store=LABEL_STORE,
    topic=attrgetter("labels"),
    verdict=TurnLabel,
    columns=LABEL_COLUMNS,
    missing="`rehear learn` trains a label model and labels what is stored",
)
"""Labels are stored, published and exported by turn."""

KIND: Final = SessionModelKind[LabelGenerator, list[TurnLabel]](
    name="labels",
    artifact="labels",
    title="label model",
    judged_as="{:,} sessions labelled",
    without="no labels are given",
    remedy="make one with `rehear learn` on its log",
    learn_help="Train the label model too, and label all turns (minutes).",
    work_help="sessions to goals, success, defects, intents and slots of their turns",
    load=load_generator,
    judge=label_sessions,
    refusal=LabelInputError,
    train=train_labels,
    training_error=LabelTrainingError,
    effect=LabelEffect,
    known=LABEL_STORE.known,
    outdate=LABEL_STORE.outdate,
    turns=TURNS,
    tables=(LABEL_STORE.table,),
    forget=lambda connection, assistant_id, user_id, _: LABEL_STORE.forget_user(
        connection, assistant_id, user_id
    ),
)
