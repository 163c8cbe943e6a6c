import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from turns import without_order

from labeling.annotations.annotation import AnnotatedSlot, Annotation, annotation_schema, decode_annotation
from labeling.errors import AnnotationDecodeError

CONTRACT = Path(__file__).resolve().parents[3] / "../shared/contract/annotation.schema.json"
FULL: dict[str, Any] = {
    "event_id": "e",
    "correct": False,
    "failure_point": "entity_resolution",
    "goal_id": "g",
    "goal_success": True,
    "satisfaction": [1, 5, 3],
    "dialogue_satisfaction": [],
    "domain": "music",
    "intent": "play",
    "slots": [{"name": "genre", "value": "jazz", "start": 0, "end": 4}, {"name": "n", "value": None}],
}
VALIDATOR = jsonschema.Draft202012Validator(annotation_schema())


def test_every_field_is_kept() -> None:
    assert decode_annotation(json.dumps(FULL).encode()) == Annotation(
        event_id="e",
        correct=False,
        failure_point="entity_resolution",
        goal_id="g",
        goal_success=True,
        satisfaction=(1, 5, 3),
        dialogue_satisfaction=(),
        domain="music",
        intent="play",
        slots=(AnnotatedSlot(name="genre", value="jazz", start=0, end=4), AnnotatedSlot(name="n")),
    )


@pytest.mark.parametrize("name", [name for name in FULL if name != "event_id"])
def test_what_is_null_or_absent_is_not_annotated(name: str) -> None:
    for line in (FULL | {name: None}, {key: value for key, value in FULL.items() if key != name}):
        VALIDATOR.validate(line)
        assert getattr(decode_annotation(json.dumps(line).encode()), name) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("event_id", None),
        ("event_id", 7),
        ("correct", 1),
        ("correct", "yes"),
        ("failure_point", "microphone"),
        ("goal_id", 7),
        ("goal_success", "no"),
        ("satisfaction", 3),
        ("satisfaction", [0]),
        ("satisfaction", [6]),
        ("satisfaction", [2.5]),
        ("satisfaction", [None]),
        ("dialogue_satisfaction", [6]),
        ("domain", []),
        ("slots", {}),
        ("slots", [{}]),
        ("slots", [{"name": None}]),
        ("slots", [{"name": "n", "start": "0"}]),
        ("surprise", 1),
    ],
)
def test_what_the_contract_does_not_allow_is_refused(name: str, value: Any) -> None:
    line = FULL | {name: value}
    assert not VALIDATOR.is_valid(line)
    with pytest.raises(AnnotationDecodeError, match=f"not an annotation: .*{name}"):
        decode_annotation(json.dumps(line).encode())


@pytest.mark.parametrize("span", [{"start": -1}, {"end": -1}, {"start": 4, "end": 3}])
def test_a_slot_that_cannot_be_in_a_text_is_refused(span: dict[str, int]) -> None:
    line = {"event_id": "e", "slots": [{"name": "genre", **span}]}
    with pytest.raises(AnnotationDecodeError, match="slot 'genre' goes from character"):
        decode_annotation(json.dumps(line).encode())


def test_an_annotation_needs_an_event() -> None:
    with pytest.raises(AnnotationDecodeError, match="missing required field `event_id`"):
        decode_annotation(b'{"correct": true}')


@pytest.mark.parametrize("line", [b"", b"{", b'{"event_id": "\xff"}', b"\x00"])
def test_what_is_not_json_is_refused(line: bytes) -> None:
    with pytest.raises(AnnotationDecodeError, match="not JSON"):
        decode_annotation(line)


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(AnnotationDecodeError, match="not JSON: it starts with a byte order mark"):
        decode_annotation(b'\xef\xbb\xbf{"event_id": "a"}')


@pytest.mark.skipif(not CONTRACT.exists(), reason="the contract is not here")
def test_the_schema_is_the_contract() -> None:
    assert without_order(annotation_schema()) == without_order(json.loads(CONTRACT.read_text()))
