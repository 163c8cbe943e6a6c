"""Failure files: the failure points of a log as JSON Lines, or with their turns as Parquet."""

from operator import attrgetter
from typing import Any, Final

from msgspec import Struct

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.turns.export import turn_values, turn_writers
from streams.session import SessionId
from streams.turn import TurnEvent


class IsolatedTurn(Struct, frozen=True):
    """A turn of a log and its failure point."""

    turn: TurnEvent
    session_id: SessionId
    failure: TurnFailure


def _fields() -> list[Any]:
    """The columns of failures in a Parquet file, each a `pyarrow.Field`."""
    import pyarrow as pa  # 0.1 s, and only for Parquet

    probabilities = pa.struct([(name, pa.float64()) for name in FAILURE_POINTS])
    return [
        pa.field("failure_point", pa.string(), nullable=False),
        pa.field("probabilities", probabilities, nullable=False),
        pa.field("abstains", pa.bool_(), nullable=False),
    ]


def _row(isolated: IsolatedTurn) -> dict[str, Any]:
    failure = isolated.failure
    return {
        **turn_values(isolated.turn, isolated.session_id),
        "failure_point": failure.failure_point,
        "probabilities": {name: failure.probabilities.get(name) for name in FAILURE_POINTS},
        "abstains": failure.abstains,
    }


WRITERS: Final = turn_writers(attrgetter("failure"), _row, _fields)
