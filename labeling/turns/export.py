"""Turn exports: what is said of the turns of a log, as JSON Lines, or with the turns as Parquet."""

from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from streams.verdict import JudgedTurn

V = TypeVar("V", bound=Struct)

Format = Literal["jsonl", "parquet"]

ROWS_AT_A_TIME: Final = 10_000
"""Rows of a Parquet row group, a few megabytes. Raised, more memory; lowered, a larger file."""


_OF_TURN: Final[dict[str, Callable[[JudgedTurn[Any]], str | int | None]]] = {
    "event_id": lambda one: one.turn.event_id,
    "assistant_id": lambda one: one.turn.assistant_id,
    "user_id": lambda one: one.turn.user_id,
    "session_id": lambda one: one.session_id,
    "ts_ms": lambda one: one.turn.ts_ms,
    "request_text": lambda one: one.turn.request.text,
    "executed_text": lambda one: one.turn.executed_text,
    "response_text": lambda one: one.turn.response.text if one.turn.response else None,
}
"""The columns of a Parquet file that hold the turn itself."""

_MAY_BE_NULL: Final = ("executed_text", "response_text")


class TurnColumns(Struct, Generic[V], frozen=True):
    """The columns of a Parquet file that hold what is said of a turn."""

    fields: Callable[[], list[Any]]  # each a `pyarrow.Field`
    values: Callable[[V], dict[str, Any]]  # by column


def format_of(path: Path) -> Format:
    """The format that a file's name asks for: Parquet where it ends so, else JSON Lines."""
    return "parquet" if path.suffix.lower() in (".parquet", ".pq") else "jsonl"


def write_turns(
    stream: BinaryIO, file_format: Format, turns: Iterable[JudgedTurn[V]], columns: TurnColumns[V]
) -> None:
    """Writes what is said of turns, a part at a time in memory.

    Args:
        stream: of the file.
        file_format: JSON Lines with what is said alone, or Parquet with a row for each turn.
        turns: in the order of the file.
        columns: of Parquet.
    """
    if file_format == "jsonl":
        encoder = msgspec.json.Encoder()
        stream.writelines(encoder.encode(one.verdict) + b"\n" for one in turns)
        return
    import pyarrow as pa  # 0.1 s, and only for Parquet
    import pyarrow.parquet as pq

    turn_fields = [
        pa.field(name, pa.int64() if name == "ts_ms" else pa.string(), nullable=name in _MAY_BE_NULL)
        for name in _OF_TURN
    ]
    schema = pa.schema([*turn_fields, *columns.fields()])
    rows = (
        {name: value(one) for name, value in _OF_TURN.items()} | columns.values(one.verdict) for one in turns
    )
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
