"""The annotation: what a person, or an explicit signal outside the log, says about one turn.

`decode_annotation` is strict, as `decode_turn` is. What is absent or null is not annotated.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from labeling.errors import AnnotationDecodeError
from streams.byte_order_mark import json_fault
from streams.contract_schema import contract_schema
from streams.turn import EventId

FailurePoint = Literal["false_wake", "asr", "nlu", "entity_resolution", "result", "correct"]
"""The earliest stage that failed and was not made good. `correct`: there is none; where the assistant does
not support what was asked for, the user did not get it all the same."""

Rating = Annotated[int, Meta(ge=1, le=5)]


class AnnotatedSlot(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A named value in a request."""

    name: str
    value: str | None = None
    start: Annotated[int | None, Meta(description="first character in request.text")] = None
    end: Annotated[int | None, Meta(description="one past the last")] = None


class Annotation(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """What is said about one turn; a line of an annotations file."""

    event_id: str
    correct: Annotated[bool | None, Meta(description="the assistant did what the user had asked for")] = None
    failure_point: FailurePoint | None = None
    goal_id: Annotated[str | None, Meta(description="turns with the same id work towards one goal")] = None
    goal_success: Annotated[
        bool | None, Meta(description="that goal was reached; said on any turn of the goal")
    ] = None
    satisfaction: Annotated[
        tuple[Rating, ...] | None, Meta(description="with this turn, one number per rater")
    ] = None
    dialogue_satisfaction: Annotated[
        tuple[Rating, ...] | None,
        Meta(description="with the dialogue that this turn ends, one number per rater"),
    ] = None
    domain: str | None = None
    intent: str | None = None
    slots: tuple[AnnotatedSlot, ...] | None = None


Annotations = Mapping[EventId, Annotation]
"""Annotations by the event of their turn."""

_DECODER = msgspec.json.Decoder(Annotation)


def decode_annotation(line: bytes) -> Annotation:
    """Decodes one line.

    Raises:
        AnnotationDecodeError: not UTF-8, not JSON, a wrong type, an unknown field or none where there must be
            one, a rating outside of 1 to 5, or a slot that ends before it starts.
    """
    try:
        annotation = _DECODER.decode(line)
    except msgspec.ValidationError as error:
        raise AnnotationDecodeError(f"not an annotation: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AnnotationDecodeError(f"not JSON: {json_fault(line, error)}") from error
    for slot in annotation.slots or ():
        start, end = slot.start or 0, slot.end
        if start < 0 or (end is not None and end < start):
            raise AnnotationDecodeError(
                f"slot {slot.name!r} goes from character {slot.start} to {end}: it must start at 0 or later, "
                "and not end before it starts"
            )
    return annotation


def annotation_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the annotation, made from the types above."""
    return contract_schema(
        Annotation,
        title="Annotation",
        description="What a person, or an explicit signal outside the log, says about one turn. One line of "
        "an --annotations file. Every field but event_id is optional: absent or null means not annotated.",
    )
