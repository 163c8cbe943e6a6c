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

    schema = pa.schema([*_turn_fields(), *columns.fields()])
    rows = (_turn_values(one) | columns.values(one.verdict) for one in turns)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while some := list(islice(rows, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def _turn_values(judged: JudgedTurn[Any]) -> dict[str, Any]:
    turn = judged.turn
    return {
        "event_id": turn.event_id,
        "assistant_id": turn.assistant_id,
        "user_id": turn.user_id,
        "session_id": judged.session_id,
        "ts_ms": turn.ts_ms,
        "request_text": turn.request.text,
        "response_text": None if turn.response is None else turn.response.text,
    }


def _turn_fields() -> list[Any]:
    import pyarrow as pa

    return [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("assistant_id", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("ts_ms", pa.int64(), nullable=False),
        pa.field("request_text", pa.string(), nullable=False),
        pa.field("response_text", pa.string()),
    ]
