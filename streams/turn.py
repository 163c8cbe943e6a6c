"""The turn event: one request of a user, and what the assistant did with it.

`decode_turn` is strict: what the contract does not allow is a `TurnDecodeError`, never a guess.

The types hold nothing that refers back to them, so the garbage collector need not follow them (`gc=False`).
"""

from types import NoneType
from typing import Annotated, Any, Literal, NewType

import msgspec
from msgspec import Meta, Struct, field

from streams.byte_order_mark import json_fault
from streams.contract_schema import contract_schema
from streams.errors import TurnDecodeError, TurnTimeError
from streams.turn_time import UNIT, time_fault

EventId = NewType("EventId", str)
AssistantId = NewType("AssistantId", str)
UserId = NewType("UserId", str)

Status = Literal["ok", "error", "no_result", "unsupported", "cancelled"]
Feedback = Literal["positive", "negative"]

LONGEST_ID = 512
"""Characters of an id: generous for a UUID or a hash, and small enough for every database's index."""

_IDS = ("event_id", "assistant_id", "user_id", "dialogue_id", "person_id")
_OF_PEOPLE = ("user_id", "person_id")  # no message quotes them: messages are logged

LATEST_TS_MS = 253_402_300_799_999
"""The last millisecond of the year 9999: no turn is later."""


class Device(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The device that took the request."""

    type: str | None = None
    has_screen: bool | None = None


class Recognition(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One hypothesis of the speech recogniser."""

    text: str
    confidence: Annotated[float, Meta(ge=0, le=1)] | None = None


class Request(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the user said."""

    text: Annotated[str, Meta(description="recognised (or typed) request, before any rewrite; may be empty")]
    asr: tuple[Recognition, ...] = ()
    wake_confidence: Annotated[float, Meta(ge=0, le=1)] | None = None


class Slot(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A named value in an interpretation."""

    name: str
    value: str | None = None


class NluHypothesis(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the assistant's language understanding made of the request."""

    intent: str
    domain: str | None = None
    confidence: float | None = None
    slots: tuple[Slot, ...] = ()


class Entity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A mention, and the catalogue entry that it was resolved to."""

    mention: str = ""
    type: str | None = None
    resolved: str | None = None
    confidence: float | None = None


class Response(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What the assistant did and said."""

    text: str | None = None
    action: str | None = None
    status: Status | None = None


class Signals(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How the user took it."""

    barge_in: bool | None = None
    terminated: bool | None = None
    feedback: Feedback | None = None


_NO_SIGNALS = Signals()


class TurnEvent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """One request of a user and what the assistant did with it.

    The value of a record on the turns topic and one line of a turns file. Fields that came after the first
    version of the contract are left out of the JSON where they are null, so that earlier versions of Rehear
    read it. The others are always written: `omit_defaults` does not leave out what a factory made.
    """

    schema_version: Literal[1]
    event_id: Annotated[
        str, Meta(min_length=1, description="unique; a second event with the same id is the same event")
    ]
    assistant_id: Annotated[
        str,
        Meta(min_length=1, description="tenant: nothing learned for one assistant reaches another"),
    ]
    user_id: Annotated[str, Meta(min_length=1, description="pseudonym")]
    ts_ms: Annotated[int, Meta(description="start of the request, milliseconds since 1970-01-01 UTC")]
    request: Request
    dialogue_id: Annotated[
        str | None,
        Meta(description="given by the assistant, or null: then turns of a user form a session until a gap"),
    ] = field(default_factory=NoneType)
    locale: str | None = field(default_factory=NoneType)
    device: Device | None = field(default_factory=NoneType)
    prompt: Annotated[
        str | None,
        Meta(description="what the assistant had just said, where that is not the previous turn's response"),
    ] = field(default_factory=NoneType)
    executed_text: Annotated[
        str | None, Meta(description="the text that was run, where a rewrite replaced request.text")
    ] = field(default_factory=NoneType)
    rewrite_id: Annotated[str | None, Meta(description="the rewrite that did so")] = field(
        default_factory=NoneType
    )
    nlu: Annotated[tuple[NluHypothesis, ...], Meta(description="hypotheses, best first")] = field(
        default_factory=lambda: ()
    )
    entities: tuple[Entity, ...] = field(default_factory=lambda: ())
    response: Response | None = field(default_factory=NoneType)
    signals: Signals = field(default_factory=lambda: _NO_SIGNALS)
    table_version: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="version of the rewrite table in the lookup's answer for this request"),
    ] = None
    arm: Annotated[
        str | None,
        Meta(description="arm of an experiment that the request was in, from the lookup's answer"),
    ] = None
    withheld_rewrite_id: Annotated[
        str | None,
        Meta(description="the rewrite that an experiment kept from this request; its text ran unchanged"),
    ] = None
    person_id: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="pseudonym of the person behind several user ids: the same one, the same person"),
    ] = None
    lesson_id: Annotated[
        str | None,
        Meta(description="the lesson that the turn is part of: a user teaches the assistant what they mean"),
    ] = None
    system_initiated: Annotated[
        bool | None,
        Meta(description="true: the request answers something that the assistant said unasked"),
    ] = None

    @property
    def key(self) -> str:
        """Key of the record: keeps the turns of one user in order in one partition."""
        return f"{self.assistant_id}/{self.user_id}"

    @property
    def executed(self) -> str:
        """The text that the assistant ran: the rewrite where there was one, else the request."""
        return self.request.text if self.executed_text is None else self.executed_text


_DECODER = msgspec.json.Decoder(TurnEvent)
_ENCODER = msgspec.json.Encoder()


def decode_turn(value: bytes | None, now_ms: int) -> TurnEvent:
    """Decodes one record or line that comes from outside.

    Args:
        value: of the record, or the line.
        now_ms: the clock, milliseconds since 1970.

    Raises:
        TurnDecodeError: empty, not UTF-8, not JSON, a wrong type, an unknown or a missing field, or an id
            that is too long or has control characters.
        TurnTimeError: the time is before the year 2000, or more than a day in the future.
    """
    if value is None:
        raise TurnDecodeError("the record has no value")
    try:
        turn = _DECODER.decode(value)
    except msgspec.ValidationError as error:
        unit = f": {UNIT}, as a whole number" if str(error).endswith("`$.ts_ms`") else ""
        raise TurnDecodeError(f"not a turn event: {error}{unit}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TurnDecodeError(f"not JSON: {json_fault(value, error)}") from error
    if (fault := time_fault(turn.ts_ms, now_ms)) is not None:
        raise TurnTimeError(f"ts_ms {fault}")
    for name in _IDS:
        identifier = getattr(turn, name)
        if identifier is None:
            continue
        if len(identifier) > LONGEST_ID:
            raise TurnDecodeError(f"{name} has {len(identifier)} characters, more than {LONGEST_ID}")
        if not identifier.isprintable():
            quoted = "" if name in _OF_PEOPLE else f": {identifier!r}"
            raise TurnDecodeError(f"{name} has characters that cannot be printed{quoted}")
    return turn


def encode_turn(turn: TurnEvent) -> bytes:
    """One line of JSON, without its end of line; `decode_turn` gives the same turn back."""
    return _ENCODER.encode(turn)


def turn_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the turn event, made from the types above."""
    return contract_schema(
        TurnEvent,
        title="Turn event",
        description="One request of a user and what the assistant did with it. The value of a record on "
        "the turns topic and one line of a turns file; the record's key is assistant_id + '/' + user_id.",
    )
