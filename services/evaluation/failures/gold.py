"""Gold of failure points: where each turn failed, from annotations or from gold files of several makes."""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import Annotation, FailurePoint
from services.evaluation.common.json_lines import read_lines_of_events
from services.evaluation.common.log_split import GoldKind
from services.evaluation.errors import EvaluationFileError
from streams.turn import EventId


class GoldFailure(Struct, frozen=True, kw_only=True):
    """Where one turn failed; None: nobody says."""

    event_id: EventId
    failure_point: FailurePoint | None = None
    derived: bool = False  # a rule made it of other annotations; no person has said it


class _Derived(Struct, frozen=True):
    failure_point: FailurePoint | None = None


class _Line(Struct, frozen=True, kw_only=True):
    """The fields of all makes; others are passed over."""

    event_id: EventId
    failure_point: FailurePoint | None = None
    derived: _Derived | None = None

    @property
    def gold(self) -> GoldFailure:
        if self.failure_point is None and self.derived is not None:
            point = self.derived.failure_point
            return GoldFailure(event_id=self.event_id, failure_point=point, derived=point is not None)
        return GoldFailure(event_id=self.event_id, failure_point=self.failure_point)


def read_gold_failures(path: str | Path) -> list[GoldFailure]:
    """The lines of a gold file, JSON Lines, plain or gzipped, or `-`; unknown fields are passed over.

    A line is an annotation, or a line of gold with `failure_point`, or with `derived.failure_point`.

    Raises:
        EvaluationFileError: a line is not gold, an event has two of them, or none names a failure point.
        TurnFileError: the file cannot be read.
    """
    lines = read_lines_of_events(path, msgspec.json.Decoder(_Line).decode, "gold of a turn")
    gold = [line.gold for line in lines]
    if gold and all(line.failure_point is None for line in gold):
        raise EvaluationFileError(
            f"{path}: no line names a failure point: give annotations, or a gold file, with failure_point or "
            "derived.failure_point"
        )
    return gold


def _of_annotation(annotation: Annotation) -> GoldFailure | None:
    if annotation.failure_point is None:
        return None
    return GoldFailure(event_id=EventId(annotation.event_id), failure_point=annotation.failure_point)


FAILURE_GOLD: Final = GoldKind(
    read=read_gold_failures,
    of_annotation=_of_annotation,
    says_anything=lambda line: line.failure_point is not None,
    nothing_said=lambda gold: (
        f"{gold or 'the annotations'}: no failure point of any turn to be scored on is known: annotate some, "
        "or give their gold with --gold"
    ),
)
"""What failure models are scored by."""
