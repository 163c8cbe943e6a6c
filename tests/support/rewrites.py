"""Makes rewrites whose numbers do not matter, save for those that a test names."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine

from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, TableVersion, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.table_snapshot import TableSnapshot
from streams.session import SessionId
from streams.turn import AssistantId

HOME = AssistantId("home")


def rewrite_row(source: str, target: str, **changes: Any) -> Rewrite:
    """A live rewrite of everybody's at the assistant "home", not yet written to a table.

    Args:
        source: normalised, the source text.
        target: the target text.
        changes: other values of its fields; the id is that of its assistant, scope, source, question and
            place.
    """
    row = Rewrite(
        rewrite_id=rewrite_id("", "", source),
        assistant_id=HOME,
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
    key = rewrite_id(row.assistant_id, row.scope, source, row.question, row.method, row.locale, row.turn_kind)
    return msgspec.structs.replace(row, rewrite_id=key)


def put(
    table: RewriteTable,
    engine: Engine,
    proposals: Sequence[Rewrite],
    withdrawn: Sequence[RewriteId] = (),
    *,
    assistant: AssistantId = HOME,
    changed_ms: int = 1,
) -> TableVersion:
    """Writes what a learner wants, in a transaction of its own."""
    with engine.begin() as connection:
        return table.put(connection, assistant, proposals, withdrawn, "learned", changed_ms)


def live(snapshot: TableSnapshot) -> dict[str, str]:
    """The targets that are served, by their sources."""
    return {row.source_text: row.target_text for row in snapshot.rewrites if row.status == "live"}
