import msgspec
import pytest
from turns import turn_event

from streams.errors import TurnDecodeError
from streams.session import SessionId
from streams.session_record import LONGEST_RECORD_BYTES, SessionRecord, decode_session, encode_session
from streams.turn import AssistantId, TurnEvent, UserId


def turn(number: int, text: str) -> TurnEvent:
    return turn_event(text, event_id=f"e{number}", ts_ms=number)


def record(turns: tuple[TurnEvent, ...] | None) -> SessionRecord:
    return SessionRecord(
        session_id=SessionId("0123456789abcdef01234567"),
        assistant_id=AssistantId("a"),
        user_id=UserId("u"),
        turns=turns,
    )


@pytest.mark.parametrize("turns", [(), None, (turn(0, "play jazz"), turn(1, "\U0001f3b7 \u0000 é"))])
def test_a_record_comes_back_as_it_was(turns: tuple[TurnEvent, ...] | None) -> None:
    assert decode_session(encode_session(record(turns))) == record(turns)


def test_a_session_that_is_too_long_comes_without_its_turns() -> None:
    fits = record(tuple(turn(number, "x" * 1_000) for number in range(700)))
    assert decode_session(encode_session(fits)) == fits
    too_long = record(tuple(turn(number, "x" * 1_000) for number in range(1_000)))
    value = encode_session(too_long)
    assert len(value) <= LONGEST_RECORD_BYTES
    assert decode_session(value) == record(None)


GOOD = encode_session(record((turn(0, "play jazz"),)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"\xff",
        GOOD.replace(b"play", b"\xff"),
        GOOD.replace(b'"ts_ms":0', b'"ts_ms":"0"'),
        GOOD.replace(b'"turns":', b'"turn":'),
        GOOD.replace(b'{"schema_version":1,', b'{"schema_version":3,', 1),
        GOOD.replace(b"0123456789abcdef01234567", b"0123456789abcdef0123456"),
        GOOD.replace(b"0123456789abcdef01234567", b"0123456789abcdef0123456Z"),
        GOOD.replace(b"0123456789abcdef01234567", b"0123456789abcdef01234567\\n"),
        GOOD.replace(b'"user_id":"u"', b'"user_id":"\\u0000"', 1),
        b'{"turns":' * 100_000,
        msgspec.json.encode(msgspec.to_builtins(record(())) | {"surprise": 1}),
    ],
)
def test_what_is_no_session_record_is_refused(value: bytes | None) -> None:
    assert value != GOOD
    with pytest.raises(TurnDecodeError):
        decode_session(value)
