"""The label model in use: labels of sessions, in ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from labeling.errors import LabelInputError
from labeling.labels.calibration import Calibration
from labeling.labels.decision import decide
from labeling.labels.reader import LabelReader
from labeling.labels.space import LabelSpace
from labeling.labels.turn_label import LabelName, TurnLabel
from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME, load_verified, open_session
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import TurnTokenizer
from streams.turn import TurnEvent

KIND: Final = "label-generator"
"""Of the artifact."""

TURNS: Final = "turns.onnx"
DIALOGUES: Final = "dialogues.onnx"
DESCRIPTION: Final = DESCRIPTION_NAME

MOST_TURNS: Final = 10_000
"""Of a session: longer ones are not one user's dialogue but a log without its boundaries."""


class LabelDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known to use the model of an artifact; its `encoder.json`."""

    space: LabelSpace
    features: TurnFeatures
    calibration: Calibration
    context: bool
    base: str
    quantised: bool
    why_not: dict[LabelName, str]  # the labels that nothing taught


class ModelLabelGenerator:
    """Labels sessions by a trained model. The labels of one do not depend on the others."""

    def __init__(self, reader: LabelReader, description: LabelDescription) -> None:
        self.description = description
        self._reader = reader

    @classmethod
    def load(cls, folder: Path) -> "ModelLabelGenerator":
        """Reads an artifact that `export_label_model` has written.

        Raises:
            ArtifactError: missing, damaged, or no label generator.
        """

        def load() -> ModelLabelGenerator:
            description = msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=LabelDescription)
            reader = LabelReader(
                open_session(folder / TURNS),
                open_session(folder / DIALOGUES),
                TurnTokenizer.load(folder / TOKENIZER_NAME),
                description.features,
                description.space,
                context=description.context,
            )
            return cls(reader, description)

        return load_verified(folder, KIND, load)

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        """The labels of each turn of each session.

        Raises:
            LabelInputError: a session has more than `MOST_TURNS` turns.
        """
        for turns in sessions:
            if len(turns) > MOST_TURNS:
                raise LabelInputError(
                    f"a session of user {turns[0].user_id!r} has {len(turns):,} turns, from event "
                    f"{turns[0].event_id!r} on: up to {MOST_TURNS:,} can be labelled; give its dialogues ids "
                    "of their own"
                )
        description = self.description
        return [
            decide(turns, self._reader.read(turns), description.space, description.calibration)
            for turns in sessions
        ]
