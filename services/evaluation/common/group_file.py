"""Groups of turns: turns that must not be parted, such as recordings of one sentence."""

from pathlib import Path
from typing import Any

import msgspec

from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.errors import EvaluationFileError


def read_groups(path: str | Path, field: str) -> dict[str, str]:
    """The group of each event, from a file with `event_id` and, in some field, what a group has in common.

    Args:
        path: JSON Lines, plain or gzipped; other fields are passed over.
        field: its values may be texts or numbers; an event without one is in no group.

    Raises:
        EvaluationFileError: a line has no `event_id`, or none has the field; it names file and line.
        TurnFileError: the file cannot be read.
    """
    groups: dict[str, str] = {}
    for number, line in decoded_lines(path, msgspec.json.Decoder(dict[str, Any]).decode, "a JSON object"):
        if not isinstance(line.get("event_id"), str):
            raise EvaluationFileError(f"{path}, line {number}: it has no event_id: groups are of events")
        value = line.get(field)
        if isinstance(value, str | int):
            groups[line["event_id"]] = str(value)
    if not groups:
        raise EvaluationFileError(f"{path}: no line has a text or a whole number in the field {field!r}")
    return groups
