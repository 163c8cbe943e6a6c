"""Makes turn events that have only what a test names."""

from typing import Any

import msgspec

from streams.turn import Request, TurnEvent

START_MS = 1_736_121_600_000  # midnight of 6 January 2025, UTC: when worlds begin


def turn_event(text: str = "play jazz", **changes: Any) -> TurnEvent:
    """A turn of user "u" at the assistant "a", in which a text is said at `START_MS`; nothing else is known.

    Args:
        text: of the request.
        changes: other values of its fields.
    """
    turn = TurnEvent(
        schema_version=1,
        event_id="e",
        assistant_id="a",
        user_id="u",
        ts_ms=START_MS,
        request=Request(text=text),
    )
    return msgspec.structs.replace(turn, **changes)


def without_order(node: Any) -> Any:
    """The schema with enumerations and required names sorted: their order means nothing."""
    if isinstance(node, dict):
        return {
            key: sorted(value, key=str) if key in ("enum", "required") else without_order(value)
            for key, value in node.items()
        }
    return [without_order(item) for item in node] if isinstance(node, list) else node
