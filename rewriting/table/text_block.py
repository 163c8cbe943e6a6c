"""Blocks of texts: what must not be rewritten at all, to whatever target."""

import structlog
from sqlalchemy import Connection

from labeling.text.normalisation import normalise
from labeling.text.question import NO_QUESTION, Question
from rewriting.errors import RewriteTableError
from rewriting.table.revision import TableRevision, held_wishes, stored_rewrites
from rewriting.table.rewrite import Rewrite, Scope, rewrite_id
from rewriting.table.row_change import ANY_TARGET, StoredRewrite, blocked_row
from rewriting.table.schema import REWRITES
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

    Raises:
        RewriteTableError: the text has no word.
    """
    text = normalise(source_text)
    if not text:
        raise RewriteTableError(f"{source_text!r} has no letter and no digit: there is nothing to block")
    key = rewrite_id(assistant_id, scope, text, question)
    stands = REWRITES.c.until_version.is_(None)
    revision = TableRevision(connection, assistant_id, changed_ms, reason, actor)
    revision.block([(key, ANY_TARGET)])
    row = stored_rewrites(connection, assistant_id, [key], stands).get(key)
    if row is None:
        row = StoredRewrite(_without_target(assistant_id, scope, text, question), "retired")
    if row.rewrite.status != "blocked":
        wish = held_wishes(connection, assistant_id, [key]).get(key)
        revision.release([key])
        revision.write([blocked_row(row, wish)])
        revision.finish()
    log.info("text blocked", assistant_id=assistant_id, rewrite_id=key, actor=actor)
    return stored_rewrites(connection, assistant_id, [key], stands)[key].rewrite


def _without_target(
    assistant_id: AssistantId, scope: Scope, source_text: str, question: Question = NO_QUESTION
) -> Rewrite:
    """The row of a text of which no rewrite was learned."""
    return Rewrite(
        rewrite_id=rewrite_id(assistant_id, scope, source_text, question),
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
    )
