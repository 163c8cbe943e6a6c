"""Bodies of `POST /v1/rewrite`, as every build understands them: fields that the API has always had."""

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.turn import TurnEvent

EARLIER_TURNS = 5
"""Of the session, that go with a request: most sessions are shorter."""


def request_body(turn: TurnEvent, earlier: Sequence[TurnEvent] = ()) -> bytes:
    """The lookup of a turn of a log, with the turns before it in its session."""
    body = {
        "assistant_id": turn.assistant_id,
        "user_id": turn.user_id,
        "text": turn.request.text,
        "locale": turn.locale,
        "ts_ms": turn.ts_ms,
        "asr_confidence": turn.request.asr[0].confidence if turn.request.asr else None,
        "nlu": _understood(turn),
        "previous_turns": [
            {
                "text": before.request.text,
                "response_text": before.response.text if before.response else None,
                "ts_ms": before.ts_ms,
                "nlu": _understood(before),
                "status": before.response.status if before.response else None,
                "barge_in": bool(before.signals.barge_in),
            }
            for before in earlier[-EARLIER_TURNS:]
        ],
    }
    return msgspec.json.encode(body)


def _understood(turn: TurnEvent) -> dict[str, Any] | None:
    if not turn.nlu:
        return None
    best = turn.nlu[0]
    return {
        "intent": best.intent,
        "domain": best.domain,
        "confidence": best.confidence,
        "slots": [{"name": slot.name, "value": slot.value} for slot in best.slots],
    }
