import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import TurnDecodeError
from streams.turn import LONGEST_ID, TurnEvent, encode_turn, turn_schema
from streams.turn import decode_turn as decode_turn_at
from streams.turn_time import AHEAD_MS, EARLIEST_MS

NOW_MS = 1_750_000_000_000
SMALLEST: dict[str, Any] = {
    "schema_version": 1,
    "event_id": "e",
    "assistant_id": "a",
    "user_id": "u",
    "ts_ms": 1_736_137_581_488,
    "request": {"text": ""},
}
FULL: dict[str, Any] = SMALLEST | {
    "dialogue_id": "d",
    "locale": "de",
    "device": {"type": "speaker", "has_screen": False},
    "prompt": "Which one?",
    "executed_text": "play jazz",
    "rewrite_id": "r",
    "request": {
        "text": "plai jazz",
        "asr": [{"text": "plai jazz", "confidence": 0.5}, {"text": "x", "confidence": None}],
        "wake_confidence": 1,
    },
    "nlu": [
        {
            "intent": "play",
            "domain": "music",
            "confidence": 0.25,
            "slots": [{"name": "genre", "value": "jazz"}, {"name": "n", "value": None}],
        }
    ],
    "entities": [{"mention": "jazz", "type": "genre", "resolved": "Jazz", "confidence": 0.9}],
    "response": {"text": "Here is jazz", "action": "music.play", "status": "ok"},
    "signals": {"barge_in": True, "terminated": None, "feedback": "negative"},
    "table_version": 7,
    "arm": "on",
    "withheld_rewrite_id": "w",
    "person_id": "p",
    "lesson_id": "l",
    "system_initiated": False,
}


def decode_turn(value: bytes | None) -> TurnEvent:
    return decode_turn_at(value, NOW_MS)


def changed(event: dict[str, Any], path: str, value: Any) -> bytes:
    """The event with one field set; `path` as in `request.asr.0.text`."""
    copy = json.loads(json.dumps(event))
    *parents, name = [int(part) if part.isdecimal() else part for part in path.split(".")]
    node = copy
    for parent in parents:
        node = node[parent]
    node[name] = value
    return json.dumps(copy).encode()


@pytest.mark.parametrize("event", [SMALLEST, FULL])
def test_a_turn_comes_back_as_it_was(event: dict[str, Any]) -> None:
    turn = decode_turn(json.dumps(event).encode())
    assert decode_turn(encode_turn(turn)) == turn
    assert turn.key == "a/u"
    assert turn.executed == event.get("executed_text", "")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("request.text", "نشّط \U0001f3b7 \u0000 e\u0301"),
        ("user_id", "ü" * LONGEST_ID),
        ("ts_ms", EARLIEST_MS),
        ("ts_ms", NOW_MS + AHEAD_MS),
        ("dialogue_id", None),
        ("nlu.0.confidence", -7.5),
        ("entities", []),
        ("response.extra", {"what": ["the", "contract", "leaves", "open"]}),
        ("request.asr.0.speaker", 3),
        ("signals.feedback", None),
    ],
)
def test_what_is_allowed(path: str, value: object) -> None:
    decode_turn(changed(FULL, path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", 2),
        ("schema_version", "1"),
        ("schema_version", True),
        ("event_id", ""),
        ("event_id", 7),
        ("event_id", None),
        ("event_id", "a\u0000"),
        ("user_id", "a\nb"),
        ("user_id", "u" * (LONGEST_ID + 1)),
        ("assistant_id", "\u202e"),
        ("dialogue_id", "\u0007"),
        ("ts_ms", "0"),
        ("ts_ms", 0.5),
        ("ts_ms", None),
        ("ts_ms", -1),
        ("ts_ms", 0),
        ("ts_ms", EARLIEST_MS - 1),
        ("ts_ms", NOW_MS + AHEAD_MS + 1),
        ("ts_ms", 10**30),
        ("ts_ms", True),
        ("request", "play jazz"),
        ("request", {}),
        ("request.text", None),
        ("request.asr.0.confidence", 1.5),
        ("request.asr.0.confidence", "high"),
        ("request.asr", {"text": "x"}),
        ("nlu", None),
        ("nlu.0.slots.0.name", 1),
        ("nlu.0.slots.0", "genre"),
        ("response.status", "great"),
        ("signals.barge_in", 1),
        ("signals.feedback", "so-so"),
        ("surprise", 1),
    ],
)
def test_what_is_not_allowed(path: str, value: object) -> None:
    with pytest.raises(TurnDecodeError):
        decode_turn(changed(FULL, path, value))


@pytest.mark.parametrize("missing", sorted(SMALLEST))
def test_what_must_be_there_is_named(missing: str) -> None:
    event = {name: value for name, value in SMALLEST.items() if name != missing}
    with pytest.raises(TurnDecodeError, match=missing):
        decode_turn(json.dumps(event).encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        json.dumps(SMALLEST).encode() + b"{}",
        json.dumps(SMALLEST).replace('""', '"\xff"').encode("latin-1"),
        json.dumps(SMALLEST).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(SMALLEST).encode(),
        json.dumps(SMALLEST).replace('""', '"\\ud800"').encode(),
        json.dumps(SMALLEST).replace('""', '"' + "\\udc00" + '"').encode(),
        json.dumps(SMALLEST).replace('"ts_ms": 1736137581488', '"ts_ms": 1e999').encode(),
        json.dumps(FULL).replace("0.25", "NaN").encode(),
        json.dumps(FULL).replace("0.25", "1e999").encode(),
        b"[" * 1_000_000,
        b'{"request":' * 200_000,
    ],
)
def test_what_is_no_event_at_all(value: bytes | None) -> None:
    with pytest.raises(TurnDecodeError):
        decode_turn(value)


def test_an_unknown_field_with_deep_nesting_does_not_end_the_process() -> None:
    line = json.dumps(FULL).replace('"type": "speaker"', '"x": ' + "[" * 100_000 + "]" * 100_000)
    with pytest.raises(TurnDecodeError):
        decode_turn(line.encode())


# The schema


VALIDATOR = jsonschema.Draft202012Validator(turn_schema())
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2),
    st.sampled_from([0.5, 1.5, "", "ok", "x", "positive", [], {}, [{}], [{"text": "x"}], {"text": "x"}]),
)


def paths(node: Any, prefix: str = "") -> list[str]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    found = []
    for name, value in items:
        found += [f"{prefix}{name}", *paths(value, f"{prefix}{name}.")]
    return found


@given(st.lists(st.tuples(st.sampled_from([*paths(FULL), "new", "response.new"]), ODD_VALUES), max_size=2))
def test_decoding_agrees_with_the_schema(changes: list[tuple[str, Any]]) -> None:
    line = json.dumps(FULL).encode()
    for path, value in changes:
        try:
            line = changed(json.loads(line), path, value)
        except (KeyError, IndexError, TypeError, AttributeError):  # an earlier change took the place away
            continue
    event = json.loads(line)
    valid = VALIDATOR.is_valid(event)
    if valid and event["ts_ms"] < EARLIEST_MS:  # the schema leaves the range of times open
        valid = False
    try:
        decode_turn(line)
    except TurnDecodeError:
        assert not valid
    else:
        assert valid
