"""Files of failures, as `rehear isolate` writes them."""

from pathlib import Path

import msgspec

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.common.json_lines import read_lines_of_events

_DECODER = msgspec.json.Decoder(TurnFailure)

_ROUNDING = 0.01  # probabilities are written with few digits, so their sum is not quite 1


def read_failures(path: str | Path) -> list[TurnFailure]:
    """The lines of a file of failures, JSON Lines, plain or gzipped, or `-`.

    Raises:
        EvaluationFileError: a line is something else, or an event has two of them; it names file and line.
        TurnFileError: the file cannot be read.
    """
    return read_lines_of_events(path, _decode, "a line of `rehear isolate`")


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
