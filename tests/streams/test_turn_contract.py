"""The contract grows and never shrinks: what its first version allowed is read for ever."""

import json
import math
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from first_contract import FIRST_TURN_SCHEMA, without_words
from turns import START_MS, turn_event, without_order

from streams.errors import TurnDecodeError
from streams.turn import LONGEST_ID, TurnEvent, decode_turn, encode_turn, turn_schema

PUBLISHED = Path(__file__).resolve().parents[2] / "../shared/contract/turn.schema.json"
ADDED: dict[str, Any] = {
    "table_version": {"type": ["integer", "null"], "minimum": 0},
    "arm": {"type": ["string", "null"]},
    "withheld_rewrite_id": {"type": ["string", "null"]},
    "person_id": {"type": ["string", "null"], "minLength": 1},
    "lesson_id": {"type": ["string", "null"]},
    "system_initiated": {"type": ["boolean", "null"]},
}
"""What came after the first version."""

TEXTS = ["x", "נגן \U0001f3b7 e\u0301 'quoted' \\", "w" * LONGEST_ID]
WHOLE_NUMBERS = [START_MS, 0, 1, -1, 2**53, 2**63 - 1, -(2**63)]
NUMBERS = [0.5, 0, 1, -1, -0.0, 5e-324, 1e308, -1e308]


def instances(schema: dict[str, Any]) -> list[Any]:
    """Values that a schema allows: every kind that a part can have, its extremes, each part there and not."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return [value for kind in kinds for value in _of_kind(kind, schema)]


def _of_kind(kind: str, schema: dict[str, Any]) -> list[Any]:
    low, high = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)
    match kind:
        case "null":
            return [None]
        case "boolean":
            return [True, False]
        case "string":
            return [text for text in [*TEXTS, ""] if len(text) >= schema.get("minLength", 0)]
        case "integer":
            return [value for value in WHOLE_NUMBERS if low <= value <= high]
        case "number":
            return [value for value in NUMBERS if low <= value <= high]
        case "array":
            items = instances(schema["items"])
            return [[], *([item] for item in items), items]
        case "object":
            return _objects(schema)
    raise AssertionError(f"the contract has no {kind}")


def _objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    parts = {name: instances(part) for name, part in schema["properties"].items()}
    smallest = {name: parts[name][0] for name in schema.get("required", [])}
    fullest = {name: values[-1] for name, values in parts.items()}
    unknown = [] if schema.get("additionalProperties") is False else [smallest | {"unknown": [{}]}]
    varied = [
        base | {name: value}
        for base in (smallest, fullest)
        for name, values in parts.items()
        for value in values
    ]
    return [smallest, fullest, *unknown, *varied]


def test_what_the_first_version_allowed_is_read() -> None:
    """Times and ids that can be no event's were refused from the first; the schema leaves them open."""
    events = instances(FIRST_TURN_SCHEMA)
    validator = jsonschema.Draft202012Validator(FIRST_TURN_SCHEMA)
    assert len(events) > 500
    for event in events:
        validator.validate(event)
        line = json.dumps(event).encode()
        turn = msgspec.json.decode(line, type=TurnEvent)
        assert msgspec.json.decode(encode_turn(turn), type=TurnEvent) == turn
        if event["ts_ms"] == START_MS:
            assert decode_turn(line, START_MS) == turn


def test_nothing_of_the_first_version_has_changed_and_what_came_is_optional() -> None:
    schema = without_order(without_words(turn_schema()))
    first = without_order(FIRST_TURN_SCHEMA)
    added = {name: part for name, part in schema["properties"].items() if name not in first["properties"]}
    assert schema == first | {"properties": first["properties"] | added}
    assert added == without_order(ADDED)


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the first version as it was published is not here")
def test_the_statement_of_the_first_version_is_what_was_published() -> None:
    published = json.loads(PUBLISHED.read_text())
    assert without_order(without_words(published)) == without_order(FIRST_TURN_SCHEMA)
    now = turn_schema()
    assert {name: now["properties"][name] for name in published["properties"]} == published["properties"] | {
        name: now["properties"][name]
        for name in ("response", "signals")  # their enumerations have no order
    }
    assert (now["title"], now["description"]) == (published["title"], published["description"])


@pytest.mark.parametrize("name", sorted(ADDED))
def test_a_new_field_is_there_or_null_or_not_there(name: str) -> None:
    event = json.loads(encode_turn(turn_event()))
    assert name not in event
    assert getattr(decode_turn(json.dumps(event | {name: None}).encode(), START_MS), name) is None
    for value in instances(ADDED[name]):
        turn = decode_turn(json.dumps(event | {name: value}).encode(), START_MS)
        assert getattr(turn, name) == value
        assert decode_turn(encode_turn(turn), START_MS) == turn


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table_version", -1),
        ("table_version", 1.5),
        ("table_version", "7"),
        ("table_version", True),
        ("arm", 1),
        ("withheld_rewrite_id", ["r"]),
        ("person_id", ""),
        ("person_id", 7),
        ("person_id", "p" * (LONGEST_ID + 1)),
        ("person_id", "p\n"),
        ("lesson_id", False),
        ("system_initiated", 1),
        ("system_initiated", "true"),
    ],
)
def test_a_new_field_of_the_wrong_kind_is_refused_by_name(name: str, value: object) -> None:
    event = json.loads(encode_turn(turn_event())) | {name: value}
    with pytest.raises(TurnDecodeError, match=name):
        decode_turn(json.dumps(event).encode(), START_MS)


@pytest.mark.parametrize("name", ["user_id", "person_id"])
def test_a_refusal_does_not_quote_who_it_was(name: str) -> None:
    event = json.loads(encode_turn(turn_event())) | {name: "ada.lovelace\n"}
    with pytest.raises(TurnDecodeError, match=f"{name} has characters that cannot be printed$"):
        decode_turn(json.dumps(event).encode(), START_MS)


def test_a_turn_that_uses_no_new_field_is_written_as_the_first_version_wrote_it() -> None:
    """So that an earlier version reads what a later one has stored and produced."""
    written = (
        b'{"schema_version":1,"event_id":"e","assistant_id":"a","user_id":"u","ts_ms":1736121600000,'
        b'"request":{"text":"play jazz"},"dialogue_id":null,"locale":null,"device":null,"prompt":null,'
        b'"executed_text":null,"rewrite_id":null,"nlu":[],"entities":[],"response":null,"signals":{}}'
    )
    assert encode_turn(turn_event()) == encode_turn(decode_turn(written, START_MS)) == written
    validator = jsonschema.Draft202012Validator(FIRST_TURN_SCHEMA)
    for event in instances(FIRST_TURN_SCHEMA):
        turn = msgspec.json.decode(json.dumps(event).encode(), type=TurnEvent)
        validator.validate(json.loads(encode_turn(turn)))
