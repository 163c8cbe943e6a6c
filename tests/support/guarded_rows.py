"""Makes judged rows that have only what a test names."""

from typing import Any

import msgspec

from rewriting.guards.judged_rewrites import JudgedRewrite
from rewriting.table.rewrite import GLOBAL, rewrite_id
from streams.turn import AssistantId


def judged_row(source: str, target: str, *, assistant_id: str = "home", **changes: Any) -> JudgedRewrite:
    """A row that has proved itself: 107 of 128 requests of 55 users were met, and 6 of 18 as it was said."""
    row = JudgedRewrite(
        rewrite_id=rewrite_id(AssistantId(assistant_id), GLOBAL, source, locale=changes.get("locale", "")),
        source_text=source,
        target_text=target,
        locale="",
        state="live",
        reason="proven",
        said_success=6,
        said_requests=18,
        run_success=107,
        run_requests=128,
        judges=55,
        makers=4,
        p_better=0.99,
    )
    return msgspec.structs.replace(row, **changes)
