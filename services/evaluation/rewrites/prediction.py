"""Predictions: what the lookup API would have answered to each request of a log."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from services.evaluation.common.json_lines import decoded_lines


class Prediction(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the output of `rehear rewrite`; `rewrite` is None where the request was left alone."""

    event_id: str
    rewrite: str | None
    method: str | None = None
    scope: str | None = None  # "global" or "user:..."
    score: float | None = None  # higher is surer


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """Yields the lines of a predictions file, JSON Lines, plain or gzipped.

    Raises:
        EvaluationFileError: a line is not a prediction.
        TurnFileError: the file cannot be read.
    """
    what = "a prediction (event_id, rewrite, method, scope, score)"
    return (line for _, line in decoded_lines(path, msgspec.json.Decoder(Prediction).decode, what))
