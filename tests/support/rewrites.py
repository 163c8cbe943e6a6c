"""Makes rewrites whose numbers do not matter, save for those that a test names."""

from typing import Any

import msgspec

from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.session import SessionId
from streams.turn import AssistantId


def rewrite_row(source: str, target: str, **changes: Any) -> Rewrite:
    """A live rewrite of everybody's at the assistant "home", not yet written to a table.

    Args:
        source: normalised, the source text.
        target: the target text.
        changes: other values of its fields; the id is that of its assistant, scope, source and question.
    """
    row = Rewrite(
        rewrite_id=rewrite_id("", "", source),
        assistant_id=AssistantId("home"),
        scope=GLOBAL,
        source_text=source,
        source_interpretation=None,
        target_text=target,
        target_interpretation=None,
        method="chain",
        score=0.75,
        sessions=14,
        users=9,
        source_success_rate=0.125,
        source_count=40,
        target_success_rate=0.9,
        target_count=1_200,
        failure_point=None,
        evidence=(SessionId("s-1"), SessionId("s-2")),
    )
    row = msgspec.structs.replace(row, **changes)
    key = rewrite_id(row.assistant_id, row.scope, source, row.question, row.method)
    return msgspec.structs.replace(row, rewrite_id=key)
