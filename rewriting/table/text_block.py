"""Blocks of texts: what must not be rewritten at all, to whatever target.

A block of a text holds wherever its row would: one that is made for any locale and kind of turn holds for the
rows of one locale or kind as well, those that are learned later too.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection, select

from labeling.text.normalisation import normalise
from labeling.text.question import Question
from rewriting.errors import RewriteTableError
from rewriting.table.occasion import ANY_KIND, Place, TurnKind, locale_fault, locale_key
from rewriting.table.revision import (
    STANDS,
    TableRevision,
    blocked_targets,
    held_wishes,
    stored_rewrites,
)
from rewriting.table.rewrite import Rewrite, RewriteId, Scope, rewrite_id
from rewriting.table.row_change import ANY_TARGET, StoredRewrite, blocked_row
from rewriting.table.schema import PLACED, REWRITES
from streams.stores.database_schema import chunks
from streams.turn import AssistantId

log = structlog.get_logger()


def block_text(
    connection: Connection,
    assistant_id: AssistantId,
    scope: Scope,
    source_text: str,
    question: Question,
    *,
    reason: str,
    actor: str,
    changed_ms: int,
    locale: str = "",
    turn_kind: TurnKind = ANY_KIND,
) -> Rewrite:
    """Keeps a text from being rewritten until `RewriteTable.unblock`; gives its row as it is now.

    This takes back what was rewritten online, of which the table has no row: one is made, and is blocked. A
    row that is there is blocked; whatever the learner proposes in its place is, too.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose table.
        scope: for everybody, or for one user.
        source_text: as it is said, with a letter or a digit in it.
        question: only after this question; empty: whatever was asked.
        reason: why, for the history.
        actor: who wants it.
        changed_ms: when; milliseconds since 1970.
        locale: only in this locale; empty: in all.
        turn_kind: only for this kind of turn.

    Raises:
        RewriteTableError: the text has no word, or the locale is none.
    """
    text = normalise(source_text)
    if not text:
        raise RewriteTableError(f"{source_text!r} has no letter and no digit: there is nothing to block")
    if (fault := locale_fault(locale)) is not None:
        raise RewriteTableError(f"the text cannot be blocked in this locale: {fault}")
    wanted = _without_target(assistant_id, scope, text, question, locale, turn_kind)
    key = wanted.rewrite_id
    revision = TableRevision(connection, assistant_id, changed_ms, reason, actor)
    keys = [key, *_narrower_rows(connection, wanted)]
    revision.block([(one, ANY_TARGET) for one in keys])
    rows = stored_rewrites(connection, assistant_id, keys, STANDS)
    wishes = held_wishes(connection, assistant_id, keys)
    concerned = [
        row for row in rows.values() if row.rewrite.rewrite_id == key or row.rewrite.status != "retired"
    ]
    if key not in rows:
        concerned.append(StoredRewrite(wanted, "retired"))
    changed = [row for row in concerned if row.rewrite.status != "blocked"]
    if changed:
        revision.release([row.rewrite.rewrite_id for row in changed])
        revision.write([blocked_row(row, wishes.get(row.rewrite.rewrite_id)) for row in changed])
        revision.finish()
    log.info("text blocked", assistant_id=assistant_id, rewrite_id=key, actor=actor)
    return stored_rewrites(connection, assistant_id, [key], STANDS)[key].rewrite


def extend_text_blocks(
    connection: Connection, revision: TableRevision, new: Sequence[Rewrite]
) -> list[RewriteId]:
    """Extends blocks of texts to new rewrites of them in narrower places; gives the ids of these."""
    wider = {
        row.rewrite_id: {
            rewrite_id(
                row.assistant_id,
                row.scope,
                row.source_text,
                row.question,
                locale=place.locale,
                turn_kind=place.turn_kind,
            )
            for place in row.place.wider()
        }
        for row in new
    }
    blocked: set[RewriteId] = set()
    for ids in chunks(sorted(set().union(*wider.values()))):
        found = blocked_targets(connection, new[0].assistant_id, ids)
        blocked |= {key for key, targets in found.items() if ANY_TARGET in targets}
    under = [key for key, keys in wider.items() if keys & blocked]
    revision.block([(key, ANY_TARGET) for key in under])
    return under


def end_text_block(connection: Connection, revision: TableRevision, row: Rewrite) -> list[StoredRewrite]:
    """Ends the block of a text for its rows in narrower places; gives those that nothing else blocks."""
    keys = _narrower_rows(connection, row)
    blocked = blocked_targets(connection, row.assistant_id, keys)
    revision.unblock([(key, ANY_TARGET) for key, targets in blocked.items() if ANY_TARGET in targets])
    rows = stored_rewrites(connection, row.assistant_id, keys, STANDS)
    return [one for key, one in rows.items() if blocked.get(key) == {ANY_TARGET}]


def _narrower_rows(connection: Connection, row: Rewrite) -> list[RewriteId]:
    """The standing rewrites of the same text, scope and question that hold in fewer places, sorted."""
    rows = REWRITES.c
    statement = select(rows.rewrite_id, rows.locale, rows.turn_kind).where(
        rows.assistant_id == row.assistant_id,
        PLACED,
        STANDS,
        rows.scope == row.scope,
        rows.source_text == row.source_text,
        rows.question == row.question,
    )
    return sorted(
        RewriteId(rewrite_id)
        for rewrite_id, locale, kind in connection.execute(statement)
        if row.place in Place(locale_key(locale), kind).wider()
    )


def _without_target(
    assistant_id: AssistantId,
    scope: Scope,
    source_text: str,
    question: Question,
    locale: str,
    turn_kind: TurnKind,
) -> Rewrite:
    """The row of a text of which no rewrite was learned."""
    return Rewrite(
        rewrite_id=rewrite_id(assistant_id, scope, source_text, question, locale=locale, turn_kind=turn_kind),
        assistant_id=assistant_id,
        scope=scope,
        source_text=source_text,
        source_interpretation=None,
        target_text=ANY_TARGET,
        target_interpretation=None,
        method="retrieval",
        score=0.0,
        sessions=0,
        users=0,
        source_success_rate=0.0,
        source_count=0,
        target_success_rate=0.0,
        target_count=0,
        failure_point=None,
        evidence=(),
        status="retired",
        question=question,
        locale=locale,
        turn_kind=turn_kind,
    )
