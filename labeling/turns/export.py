"""Turn exports: what is said of the turns of a log, as JSON Lines, or with the turns as Parquet."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, TypeVar

import msgspec

from streams.session import SessionId
from streams.turn import TurnEvent

Format = Literal["jsonl", "parquet"]
T = TypeVar("T")

ROWS_AT_A_TIME: Final = 10_000
"""Rows of a Parquet row group, a few megabytes. Raised, more memory; lowered, a larger file."""


def format_of(path: Path) -> Format:
    """The format that a file's name asks for: Parquet where it ends so, else JSON Lines."""
    return "parquet" if path.suffix.lower() in (".parquet", ".pq") else "jsonl"


def turn_writers(
    said: Callable[[T], msgspec.Struct], row: Callable[[T], dict[str, Any]], fields: Callable[[], list[Any]]
) -> dict[Format, Callable[[BinaryIO, Iterable[T]], None]]:
    """The writers of each format, a part at a time in memory.

    Args:
        said: what is said of a turn: its JSON line.
        row: its Parquet row: `turn_values` and what is said of it.
        fields: the `pyarrow.Field`s of what is said.
    """
    return {
        "jsonl": lambda stream, turns: _write_lines(stream, map(said, turns)),
        "parquet": lambda stream, turns: _write_rows(stream, map(row, turns), fields()),
    }


def _write_lines(stream: BinaryIO, said: Iterable[msgspec.Struct]) -> None:
    encoder = msgspec.json.Encoder()
    stream.writelines(encoder.encode(one) + b"\n" for one in said)


def _write_rows(stream: BinaryIO, rows: Iterable[dict[str, Any]], said: Sequence[Any]) -> None:
    import pyarrow as pa  # 0.1 s, and only for Parquet
    import pyarrow.parquet as pq

    schema = pa.schema([*_turn_fields(), *said])
    remaining: Iterator[dict[str, Any]] = iter(rows)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while some := list(islice(remaining, ROWS_AT_A_TIME)):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))


def turn_values(turn: TurnEvent, session_id: SessionId) -> dict[str, Any]:
    """What a row has of the turn itself."""
    return {
        "event_id": turn.event_id,
        "assistant_id": turn.assistant_id,
        "user_id": turn.user_id,
        "session_id": session_id,
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
