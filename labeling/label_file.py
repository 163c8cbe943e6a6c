"""Label files: the labels of a log as JSON Lines, or with their turns as Parquet.

A Parquet file has a typed column for each label and all that training needs beside them, so that
`datasets.load_dataset("parquet", data_files=...)`, Spark and DuckDB read it as it is.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, get_args

import msgspec

from labeling.labelled_turn import LabelledTurn
from labeling.turn_label import LabelName, TurnLabel

Format = Literal["jsonl", "parquet"]

ROWS_AT_A_TIME: Final = 10_000
"""Rows of a Parquet row group, a few megabytes. Raised, more memory; lowered, a larger file."""


def format_of(path: Path) -> Format:
    """The format that a file's name asks for: Parquet where it ends so, else JSON Lines."""
    return "parquet" if path.suffix.lower() in (".parquet", ".pq") else "jsonl"


def write_jsonl(stream: BinaryIO, turns: Iterable[LabelledTurn]) -> None:
    """Writes a line for each turn: its `TurnLabel`."""
    encoder = msgspec.json.Encoder()
    stream.writelines(encoder.encode(turn.label) + b"\n" for turn in turns)


def write_parquet(stream: BinaryIO, turns: Iterable[LabelledTurn]) -> None:
    """Writes a row for each turn, `ROWS_AT_A_TIME` in memory."""
    import pyarrow as pa  # 0.1 s, and only for Parquet
    import pyarrow.parquet as pq

    schema = _schema()
    remaining = iter(turns)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while rows := [_row(turn) for turn in islice(remaining, ROWS_AT_A_TIME)]:
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))


WRITERS: Final[dict[Format, Callable[[BinaryIO, Iterable[LabelledTurn]], None]]] = {
    "jsonl": write_jsonl,
    "parquet": write_parquet,
}


@contextmanager
def replaced_file(path: Path) -> Iterator[BinaryIO]:
    """A stream to a file that is there when all of it is written; until then an earlier one stays."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as stream:
            yield stream
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _schema() -> Any:
    """The columns of a Parquet file, a `pyarrow.Schema`."""
    import pyarrow as pa

    slot = pa.struct(
        [("name", pa.string()), ("value", pa.string()), ("start", pa.int32()), ("end", pa.int32())]
    )
    return pa.schema(
        [
            pa.field("event_id", pa.string(), nullable=False),
            pa.field("assistant_id", pa.string(), nullable=False),
            pa.field("user_id", pa.string(), nullable=False),
            pa.field("session_id", pa.string(), nullable=False),
            pa.field("ts_ms", pa.int64(), nullable=False),
            pa.field("request_text", pa.string(), nullable=False),
            pa.field("response_text", pa.string()),
            pa.field("goal_id", pa.string(), nullable=False),
            pa.field("goal_start", pa.bool_(), nullable=False),
            pa.field("goal_success", pa.float64()),
            pa.field("defect", pa.float64()),
            pa.field("satisfaction", pa.int8()),
            pa.field("dissatisfaction", pa.float64()),
            pa.field("dialogue_satisfaction", pa.int8()),
            pa.field("dialogue_dissatisfaction", pa.float64()),
            pa.field("domain", pa.string()),
            pa.field("intent", pa.string()),
            pa.field("slots", pa.list_(slot)),
            pa.field("confidence", pa.struct([(name, pa.float64()) for name in get_args(LabelName)])),
            pa.field("abstained", pa.list_(pa.string()), nullable=False),
        ]
    )


def _row(labelled: LabelledTurn) -> dict[str, Any]:
    turn, label = labelled.turn, labelled.label
    return {
        **{name: getattr(label, name) for name in TurnLabel.__struct_fields__},
        "assistant_id": turn.assistant_id,
        "user_id": turn.user_id,
        "session_id": labelled.session_id,
        "ts_ms": turn.ts_ms,
        "request_text": turn.request.text,
        "response_text": None if turn.response is None else turn.response.text,
        "slots": None if label.slots is None else [msgspec.structs.asdict(slot) for slot in label.slots],
        "confidence": {name: label.confidence.get(name) for name in get_args(LabelName)},
        "abstained": list(label.abstained),
    }
