"""Files of failures, as `rehear isolate` writes them."""

from functools import partial

import msgspec

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.common.json_lines import read_lines_of_events

_DECODER = msgspec.json.Decoder(TurnFailure)

_ROUNDING = 0.01  # probabilities are written with few digits, so their sum is not quite 1


def _decode(line: bytes) -> TurnFailure:
    failure = _DECODER.decode(line)
    if missing := [point for point in FAILURE_POINTS if point not in failure.probabilities]:
        raise ValueError(f"probabilities lack {', '.join(missing)}")
    for point, value in failure.probabilities.items():
        if not 0 <= value <= 1:
            raise ValueError(f"the probability of {point} is {value}: it must be 0 to 1")
    total = sum(failure.probabilities.values())
    if abs(total - 1) > _ROUNDING:
        raise ValueError(f"the probabilities sum to {total:.3f}: they must sum to 1")
    return failure


read_failures = partial(read_lines_of_events, decode=_decode, what="a line of `rehear isolate`")
"""The lines of a file of failures; errors as in `read_lines_of_events`."""
