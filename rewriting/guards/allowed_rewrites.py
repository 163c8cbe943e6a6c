"""Allowed rewrites: pairs that the guards refuse, and that an operator has approved.

Who approved what stays on record when the approval is taken back.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Connection, Table, Text, select, update

from rewriting.guards.refused_rewrites import digest
from rewriting.table.rewrite import RewriteId
from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import upsert
from streams.turn import AssistantId

ALLOWED_REWRITES: Final[Table] = assistant_table(
    "allowed_rewrites",
    Column("rewrite_id", Text, primary_key=True),
    Column("target_digest", Text, primary_key=True),  # a text can be too long for an index
    Column("allowed_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("source_text", Text, nullable=False),
    Column("target_text", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("ended_ms", BigInteger),  # null: it holds
    Column("end_reason", Text),
    Column("end_actor", Text),
)


class AllowedRewrite(Struct, frozen=True, kw_only=True):
    """A pair that may be a rewrite whatever the guards say."""

    rewrite_id: RewriteId  # that its row has, or would have
    source_text: str  # normalised
    target_text: str  # normalised
    locale: str  # empty: any
    reason: str
    actor: str  # who approved it
    allowed_ms: int  # milliseconds since 1970


_FIELDS: Final = [ALLOWED_REWRITES.c[name] for name in AllowedRewrite.__struct_fields__]


def allowed_rewrites(connection: Connection, assistant_id: AssistantId) -> list[AllowedRewrite]:
    """The approvals of an assistant that hold, sorted by source, locale and target."""
    rows = ALLOWED_REWRITES.c
    query = select(*_FIELDS).where(rows.assistant_id == assistant_id, rows.ended_ms.is_(None))
    found = [
        AllowedRewrite(**dict(zip(AllowedRewrite.__struct_fields__, row, strict=True)))
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda one: (one.source_text, one.locale, one.target_text))


def allowed_pairs(connection: Connection, assistant_id: AssistantId) -> frozenset[tuple[str, str, str]]:
    """Source, target and locale of the pairs that are approved."""
    return frozenset(
        (one.source_text, one.target_text, one.locale) for one in allowed_rewrites(connection, assistant_id)
    )


def add_allowed(connection: Connection, assistant_id: AssistantId, allowed: AllowedRewrite) -> None:
    """Puts an approval on record.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rewrite it is.
        allowed: of a pair that is not approved.
    """
    row = {name: getattr(allowed, name) for name in AllowedRewrite.__struct_fields__}
    ended = {"ended_ms": None, "end_reason": None, "end_actor": None}
    key = {"assistant_id": assistant_id, "target_digest": digest(allowed.target_text)}
    upsert(connection, ALLOWED_REWRITES, [key | row | ended])


def end_allowed(
    connection: Connection,
    assistant_id: AssistantId,
    allowed: AllowedRewrite,
    reason: str,
    actor: str,
    now_ms: int,
) -> None:
    """Ends an approval that holds.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rewrite it is.
        allowed: the approval.
        reason: why it ends.
        actor: who ends it.
        now_ms: milliseconds since 1970.
    """
    rows = ALLOWED_REWRITES.c
    connection.execute(
        update(ALLOWED_REWRITES)
        .where(
            rows.assistant_id == assistant_id,
            rows.rewrite_id == allowed.rewrite_id,
            rows.target_digest == digest(allowed.target_text),
            rows.ended_ms.is_(None),
        )
        .values(ended_ms=now_ms, end_reason=reason, end_actor=actor)
    )
