"""Files of labels, as `rehear label` writes them."""

from functools import partial

import msgspec

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.json_lines import read_lines_of_events

_PROBABILITIES = ("goal_success", "defect", "dissatisfaction", "dialogue_dissatisfaction")
_RATINGS = ("satisfaction", "dialogue_satisfaction")

_DECODER = msgspec.json.Decoder(TurnLabel)


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


read_labels = partial(read_lines_of_events, decode=_decode, what="a line of `rehear label`")
"""The lines of a file of labels; errors as in `read_lines_of_events`."""
