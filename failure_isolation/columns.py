"""Failure columns: failure points in a Parquet file."""

from typing import Any, Final

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.turns.export import TurnColumns


def _fields() -> list[Any]:
    import pyarrow as pa  # 0.1 s, and only for Parquet

    probabilities = pa.struct([(name, pa.float64()) for name in FAILURE_POINTS])
    return [
        pa.field("failure_point", pa.string(), nullable=False),
        pa.field("probabilities", probabilities, nullable=False),
        pa.field("abstains", pa.bool_(), nullable=False),
    ]


def _values(failure: TurnFailure) -> dict[str, Any]:
    return {
        "failure_point": failure.failure_point,
        "probabilities": {name: failure.probabilities.get(name) for name in FAILURE_POINTS},
        "abstains": failure.abstains,
    }


FAILURE_COLUMNS: Final = TurnColumns(_fields, _values)
"""A `TurnFailure` in Parquet."""
