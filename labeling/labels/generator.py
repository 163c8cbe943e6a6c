"""The label model in use: labels of sessions, in ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct

from labeling.errors import LabelInputError
from labeling.labels.calibration import Calibration
from labeling.labels.decision import decide
from labeling.labels.reader import LabelReader
from labeling.labels.space import LabelSpace
from labeling.labels.turn_label import LabelName, TurnLabel
from labeling.turns.dialogue_model import load_dialogue_model, refuse_long_sessions
from labeling.turns.features import TurnFeatures
from streams.turn import TurnEvent

KIND: Final = "label-generator"
"""Of the artifact."""

TURNS: Final = "turns.onnx"


class LabelDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known to use the model of an artifact; its `encoder.json`."""

    space: LabelSpace
    features: TurnFeatures
    calibration: Calibration
    context: bool
    base: str
    quantised: bool
    why_not: dict[LabelName, str]  # the labels that nothing taught


class ModelLabelGenerator(Struct, frozen=True):
    """Labels sessions by a trained model. The labels of one do not depend on the others."""

    reader: LabelReader
    description: LabelDescription

    @classmethod
    def load(cls, folder: Path) -> "ModelLabelGenerator":
        """Reads an artifact that `export_label_model` has written.

        Raises:
            ArtifactError: missing, damaged, or no label generator.
        """
        model, description = load_dialogue_model(folder, KIND, TURNS, LabelDescription)
        reader = LabelReader(model, description.features, description.space, context=description.context)
        return cls(reader, description)

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        """The labels of each turn of each session.

        Raises:
            LabelInputError: a session has more than `MOST_TURNS` turns.
        """
        refuse_long_sessions(sessions, LabelInputError, "up to {} can be labelled")
        description = self.description
        return [
            decide(turns, self.reader.read(turns), description.space, description.calibration)
            for turns in sessions
        ]
