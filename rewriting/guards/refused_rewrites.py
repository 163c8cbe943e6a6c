"""Refused rewrites: what the guards of each assistant held back when its chain was last solved, and why."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, Connection, Table, Text, delete, select, tuple_

from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.table.rewrite import GLOBAL, RewriteId, rewrite_id
from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import chunks, upsert
from streams.turn import AssistantId

REFUSED_REWRITES: Final[Table] = assistant_table(
    "refused_rewrites",
    Column("rewrite_id", Text, primary_key=True),  # that the row would have
    Column("target_digest", Text, primary_key=True),  # a text can be too long for an index
    Column("source_text", Text, nullable=False),
    Column("target_text", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("reasons", Text, nullable=False),  # JSON
    Column("since_ms", BigInteger),  # when the pair came to be refused; null: before that was noted
)

_RENEWED: Final = ("source_text", "target_text", "locale", "reasons")  # while a pair stays refused

_PAIRS_PER_STATEMENT = 1_000
_REASONS: Final = msgspec.json.Decoder(tuple[RefusalReason, ...])


class RefusedRewrite(Struct, frozen=True):
    """A pair of requests that is no rewrite."""

    source_text: str  # normalised
    target_text: str  # normalised
    locale: str  # empty: none that is known
    reasons: tuple[RefusalReason, ...]  # not empty

    def rewrite_id(self, assistant_id: AssistantId) -> RewriteId:
        """The id that its row would have."""
        return rewrite_id(assistant_id, GLOBAL, self.source_text, locale=self.locale)


def counts_by_reason(refused: Iterable[RefusedRewrite]) -> Counter[RefusalReason]:
    """How many pairs are refused for each reason that there is, in the order in which reasons are told.

    A pair that is refused for two counts for both.
    """
    counts = Counter(reason for pair in refused for reason in pair.reasons)
    return Counter({reason: counts[reason] for reason in REFUSAL_REASONS if counts[reason]})


def digest(text: str) -> str:
    """What stands for a text in a key."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def refused_rewrites(
    connection: Connection, assistant_id: AssistantId, of_id: RewriteId | None = None
) -> list[RefusedRewrite]:
    """What the guards hold back of an assistant's, sorted by source, locale and target.

    Args:
        connection: to the database.
        assistant_id: whose.
        of_id: only of the row with this id.
    """
    rows = REFUSED_REWRITES.c
    query = select(rows.source_text, rows.target_text, rows.locale, rows.reasons).where(
        rows.assistant_id == assistant_id
    )
    if of_id is not None:
        query = query.where(rows.rewrite_id == of_id)
    found = [
        RefusedRewrite(source, target, locale, _REASONS.decode(reasons))
        for source, target, locale, reasons in connection.execute(query)
    ]
    return sorted(found, key=lambda pair: (pair.source_text, pair.locale, pair.target_text))


def refused_since(
    connection: Connection, assistant_id: AssistantId
) -> dict[tuple[RewriteId, str], int | None]:
    """Since when each pair of an assistant is refused, milliseconds since 1970, by id and digest of target.

    None: since before that was noted.
    """
    rows = REFUSED_REWRITES.c
    query = select(rows.rewrite_id, rows.target_digest, rows.since_ms).where(
        rows.assistant_id == assistant_id
    )
    return {(RewriteId(key), target): since_ms for key, target, since_ms in connection.execute(query)}


def keep_refused(
    connection: Connection,
    assistant_id: AssistantId,
    before: Iterable[RefusedRewrite],
    now: Iterable[RefusedRewrite],
    now_ms: int | None = None,
) -> None:
    """Makes what is stored what is refused now.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose.
        before: what is stored.
        now: what is to be stored; each pair of source and target once in each locale.
        now_ms: milliseconds since 1970, from when on a new pair is refused; None: that is not noted.
    """
    kept, wanted = set(before), set(now)
    changed = [_row(assistant_id, pair) for pair in sorted(wanted - kept, key=_key)]
    keys = {(row["rewrite_id"], row["target_digest"]) for row in changed}
    rows = REFUSED_REWRITES.c
    gone = [_row(assistant_id, pair) for pair in sorted(kept - wanted, key=_key)]
    dropped = [key for row in gone if (key := (row["rewrite_id"], row["target_digest"])) not in keys]
    for some in chunks(dropped, _PAIRS_PER_STATEMENT):
        connection.execute(
            delete(REFUSED_REWRITES).where(
                rows.assistant_id == assistant_id, tuple_(rows.rewrite_id, rows.target_digest).in_(some)
            )
        )
    since = {"since_ms": now_ms}
    upsert(connection, REFUSED_REWRITES, [row | since for row in changed], update=_RENEWED)


def _key(pair: RefusedRewrite) -> tuple[str, str, str]:
    return pair.source_text, pair.locale, pair.target_text


def _row(assistant_id: AssistantId, pair: RefusedRewrite) -> dict[str, object]:
    return {
        "assistant_id": assistant_id,
        "rewrite_id": pair.rewrite_id(assistant_id),
        "target_digest": digest(pair.target_text),
        "source_text": pair.source_text,
        "target_text": pair.target_text,
        "locale": pair.locale,
        "reasons": msgspec.json.encode(pair.reasons).decode(),
    }
