"""Label columns: labels in a Parquet file, with a typed column for each.

With the turns beside them they are all that training needs, so that `datasets.load_dataset("parquet",
data_files=...)`, Spark and DuckDB read such a file as it is.
"""

from typing import Any, Final, get_args

import msgspec

from labeling.labels.turn_label import LabelName, TurnLabel
from labeling.turns.export import TurnColumns


def _fields() -> list[Any]:
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


def _values(label: TurnLabel) -> dict[str, Any]:
    return {name: getattr(label, name) for name in TurnLabel.__struct_fields__} | {
        "slots": None if label.slots is None else [msgspec.structs.asdict(slot) for slot in label.slots],
        "confidence": {name: label.confidence.get(name) for name in get_args(LabelName)},
        "abstained": list(label.abstained),
    }


LABEL_COLUMNS: Final = TurnColumns(_fields, _values)
"""A `TurnLabel` in Parquet."""
