"""The failure model in use: failure points of sessions, in ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from failure_isolation.calibration import FailureCalibration
from failure_isolation.errors import FailureInputError
from failure_isolation.part import FailurePart
from failure_isolation.reader import FailureReader
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.turns.dialogue_model import load_dialogue_model, refuse_long_sessions
from labeling.turns.features import TurnFeatures
from streams.turn import EventId, TurnEvent

KIND: Final = "failure-isolator"
"""Of the artifact."""

TEXTS: Final = "texts.onnx"

_DIGITS: Final = 6  # of a probability


class FailureDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known to use the model of an artifact; its `encoder.json`."""

    features: TurnFeatures
    calibration: FailureCalibration
    hidden: tuple[FailurePart, ...]
    base: str
    quantised: bool


class ModelFailureIsolator(Struct, frozen=True):
    """Isolates failures by a trained model. What it says of a session does not depend on the others."""

    reader: FailureReader
    description: FailureDescription

    @classmethod
    def load(cls, folder: Path) -> "ModelFailureIsolator":
        """Reads an artifact that `export_failure_model` has written.

        Raises:
            ArtifactError: missing, damaged, or no failure isolator.
        """
        model, description = load_dialogue_model(folder, KIND, TEXTS, FailureDescription)
        return cls(FailureReader(model, description.features, frozenset(description.hidden)), description)

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """The failure point of each turn of each session.

        Raises:
            FailureInputError: a session has more than `MOST_TURNS` turns.
        """
        refuse_long_sessions(sessions, FailureInputError, "up to {} can be taken")
        return [self._of_session(turns) if turns else [] for turns in sessions]

    def _of_session(self, turns: Sequence[TurnEvent]) -> list[TurnFailure]:
        calibration = self.description.calibration
        probabilities = calibration.probabilities(self.reader.read(turns))
        chosen = calibration.chosen(probabilities)
        return [
            _failure(turn, of_turn, int(choice), calibration.least_confidence)
            for turn, of_turn, choice in zip(turns, probabilities, chosen, strict=True)
        ]


def _failure(turn: TurnEvent, of_turn: NDArray[np.float64], choice: int, least: float) -> TurnFailure:
    # Compared as they are written, so that whether a turn is decided can be told from its record.
    shares = [round(float(share), _DIGITS) for share in of_turn]
    return TurnFailure(
        event_id=EventId(turn.event_id),
        failure_point=FAILURE_POINTS[choice],
        probabilities=dict(zip(FAILURE_POINTS, shares, strict=True)),
        abstains=shares[choice] < round(least, _DIGITS),
    )
