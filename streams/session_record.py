"""Session records: what the sessions topic carries.

The key is the assistant, so that one reader sees all sessions of an assistant, in the order they were closed.
A later record of a session takes the place of an earlier one; one without turns withdraws it.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from streams.errors import TurnDecodeError
from streams.session import SessionId
from streams.turn import AssistantId, TurnEvent, UserId

LONGEST_RECORD_BYTES = 900_000
"""Kafka takes records of up to 1 MiB unless set otherwise. A longer session comes without its turns."""


class SessionRecord(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A session as it is now."""

    schema_version: Literal[1] = 1
    session_id: Annotated[SessionId, Meta(pattern=r"^[0-9a-f]{24}\Z")]
    assistant_id: AssistantId
    user_id: UserId
    turns: tuple[TurnEvent, ...] | None
    """In order; none: the session was withdrawn; null: it is too long for a record, and only in the store."""


class _StoredRecord(Struct, frozen=True, kw_only=True):
    """A `SessionRecord` whose turns are JSON already."""

    schema_version: Literal[1] = 1
    session_id: SessionId
    assistant_id: AssistantId
    user_id: UserId
    turns: msgspec.Raw | None


_DECODER = msgspec.json.Decoder(SessionRecord)
_ENCODER = msgspec.json.Encoder()


def encode_session(record: SessionRecord) -> bytes:
    """JSON of at most `LONGEST_RECORD_BYTES`, without the turns where they would not fit."""
    turns = msgspec.Raw(_ENCODER.encode(record.turns))
    return encode_stored_session(record.session_id, record.assistant_id, record.user_id, turns)


def encode_stored_session(
    session_id: SessionId, assistant_id: AssistantId, user_id: UserId, turns: msgspec.Raw
) -> bytes:
    """The same from turns that are JSON already, an array; which are not looked at."""
    record = _StoredRecord(session_id=session_id, assistant_id=assistant_id, user_id=user_id, turns=turns)
    value = _ENCODER.encode(record)
    if len(value) > LONGEST_RECORD_BYTES:
        value = _ENCODER.encode(msgspec.structs.replace(record, turns=None))
    return value


def decode_session(value: bytes | None) -> SessionRecord:
    """Decodes one record.

    Raises:
        TurnDecodeError: it is not a session record.
    """
    if value is None:
        raise TurnDecodeError("the record has no value")
    try:
        record = _DECODER.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TurnDecodeError(f"not a session record: {error}") from error
    for name in ("assistant_id", "user_id"):
        if not getattr(record, name).isprintable():
            raise TurnDecodeError(f"{name} has characters that cannot be printed")
    return record
