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
    for names, least, most in ((_PROBABILITIES, 0, 1), (_RATINGS, 1, 5)):
        for name in names:
            value = getattr(label, name)
            if value is not None and not least <= value <= most:
                raise ValueError(f"{name} is {value}: it must be {least} to {most}")
    return label


read_labels = partial(read_lines_of_events, decode=_decode, what="a line of `rehear label`")
"""The lines of a file of labels; errors as in `read_lines_of_events`."""
