"""The first version of the turn event's contract, as it was published; it never changes.

Whoever wrote events for it may go on: everything that it allows is read by every later version.
"""

from typing import Any, Final

_TEXT: Final = {"type": "string"}
_ID: Final = {"type": "string", "minLength": 1}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_FLAG_OR_NULL: Final = {"type": ["boolean", "null"]}
_NUMBER_OR_NULL: Final = {"type": ["number", "null"]}
_SHARE_OR_NULL: Final = {"type": ["number", "null"], "minimum": 0, "maximum": 1}


def _object(required: tuple[str, ...] = (), *, nullable: bool = False, **properties: Any) -> dict[str, Any]:
    named = {"required": list(required)} if required else {}
    return {"type": ["object", "null"] if nullable else "object", **named, "properties": properties}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


FIRST_TURN_SCHEMA: Final = _object(
    ("schema_version", "event_id", "assistant_id", "user_id", "ts_ms", "request"),
    schema_version={"const": 1},
    event_id=_ID,
    assistant_id=_ID,
    user_id=_ID,
    dialogue_id=_TEXT_OR_NULL,
    ts_ms={"type": "integer"},
    locale=_TEXT_OR_NULL,
    device=_object(nullable=True, type=_TEXT_OR_NULL, has_screen=_FLAG_OR_NULL),
    prompt=_TEXT_OR_NULL,
    request=_object(
        ("text",),
        text=_TEXT,
        asr=_list_of(_object(("text",), text=_TEXT, confidence=_SHARE_OR_NULL)),
        wake_confidence=_SHARE_OR_NULL,
    ),
    executed_text=_TEXT_OR_NULL,
    rewrite_id=_TEXT_OR_NULL,
    nlu=_list_of(
        _object(
            ("intent",),
            domain=_TEXT_OR_NULL,
            intent=_TEXT,
            confidence=_NUMBER_OR_NULL,
            slots=_list_of(_object(("name",), name=_TEXT, value=_TEXT_OR_NULL)),
        )
    ),
    entities=_list_of(
        _object(mention=_TEXT, type=_TEXT_OR_NULL, resolved=_TEXT_OR_NULL, confidence=_NUMBER_OR_NULL)
    ),
    response=_object(
        nullable=True,
        text=_TEXT_OR_NULL,
        action=_TEXT_OR_NULL,
        status={"enum": ["ok", "error", "no_result", "unsupported", "cancelled", None]},
    ),
    signals=_object(
        barge_in=_FLAG_OR_NULL,
        terminated=_FLAG_OR_NULL,
        feedback={"enum": ["positive", "negative", None]},
    ),
) | {"additionalProperties": False}
"""JSON Schema without titles and descriptions."""


def without_words(node: Any) -> Any:
    """A schema without its titles, descriptions and dialect."""
    if isinstance(node, dict):
        # A property may be named like a keyword, so names of properties are kept, whatever they are.
        return {
            key: {name: without_words(value) for name, value in part.items()}
            if key == "properties"
            else without_words(part)
            for key, part in node.items()
            if key not in ("$schema", "title", "description")
        }
    return [without_words(item) for item in node] if isinstance(node, list) else node
