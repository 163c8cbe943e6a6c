"""Files of labels, as `rehear label` writes them."""

from pathlib import Path

import msgspec

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.json_lines import read_lines_of_events

_PROBABILITIES = ("goal_success", "defect", "dissatisfaction", "dialogue_dissatisfaction")
_RATINGS = ("satisfaction", "dialogue_satisfaction")

_DECODER = msgspec.json.Decoder(TurnLabel)


def read_labels(path: str | Path) -> list[TurnLabel]:
    """The lines of a file of labels, JSON Lines, plain or gzipped, or `-`.

    Raises:
        EvaluationFileError: a line is something else, or an event has two of them; it names file and line.
        TurnFileError: the file cannot be read.
    """
    return read_lines_of_events(path, _decode, "a line of `rehear label`")


def _decode(line: bytes) -> TurnLabel:
    label = _DECODER.decode(line)
    for name in _PROBABILITIES:
        value = getattr(label, name)
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name} is {value}: it must be 0 to 1")
    for name in _RATINGS:
        value = getattr(label, name)
        if value is not None and not 1 <= value <= 5:
            raise ValueError(f"{name} is {value}: it must be 1 to 5")
    return label
