"""Label files: the labels of a log as JSON Lines, or with their turns as Parquet.

A Parquet file has a typed column for each label and all that training needs beside them, so that
`datasets.load_dataset("parquet", data_files=...)`, Spark and DuckDB read it as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final, get_args

import msgspec

from labeling.labels.labelled_turn import LabelledTurn
from labeling.labels.turn_label import LabelName, TurnLabel
from labeling.turns.export import turn_values, turn_writers


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


def _fields() -> list[Any]:
    """The columns of labels in a Parquet file, each a `pyarrow.Field`."""
    import pyarrow as pa  # 0.1 s, and only for Parquet

    slot = pa.struct(
        [("name", pa.string()), ("value", pa.string()), ("start", pa.int32()), ("end", pa.int32())]
    )
    return [
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


def _row(labelled: LabelledTurn) -> dict[str, Any]:
    label = labelled.label
    return {
        **{name: getattr(label, name) for name in TurnLabel.__struct_fields__},
        **turn_values(labelled.turn, labelled.session_id),
        "slots": None if label.slots is None else [msgspec.structs.asdict(slot) for slot in label.slots],
        "confidence": {name: label.confidence.get(name) for name in get_args(LabelName)},
        "abstained": list(label.abstained),
    }


WRITERS: Final = turn_writers(attrgetter("label"), _row, _fields)
