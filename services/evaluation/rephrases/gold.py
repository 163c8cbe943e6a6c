"""Gold of rephrases: which earlier turn each turn says again, one line for each turn."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import UNSET, Struct, UnsetType

from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.errors import EvaluationFileError
from streams.turn import EventId


class GoldRephrase(Struct, frozen=True, kw_only=True):
    """What is true of one turn."""

    event_id: EventId
    rephrase_of: EventId | None
    derived: bool = False  # made by a rule from other annotations, rather than annotated


class _Derived(Struct, frozen=True):
    rephrase_of: EventId | UnsetType | None = UNSET


class _Line(Struct, frozen=True, kw_only=True):
    event_id: EventId
    rephrase_of: EventId | UnsetType | None = UNSET
    derived: _Derived | None = None


def read_rephrase_gold(path: str | Path) -> Iterator[GoldRephrase]:
    """Yields the lines of a gold file, JSON Lines, plain or gzipped, or `-`; unknown fields are passed over.

    A line has `rephrase_of`, the event id of a turn or null, or the same in `derived`.

    Raises:
        EvaluationFileError: a line is not gold, or says nothing of rephrases.
        TurnFileError: the file cannot be read.
    """
    for number, line in decoded_lines(path, msgspec.json.Decoder(_Line).decode, "gold of a turn"):
        if line.rephrase_of is not UNSET:
            yield GoldRephrase(event_id=line.event_id, rephrase_of=line.rephrase_of)
        elif line.derived is not None and line.derived.rephrase_of is not UNSET:
            yield GoldRephrase(event_id=line.event_id, rephrase_of=line.derived.rephrase_of, derived=True)
        else:
            raise EvaluationFileError(
                f"{path}, line {number}: event {line.event_id!r} has neither rephrase_of nor "
                "derived.rephrase_of: nothing says whether it is a rephrase; give a gold file that does"
            )
