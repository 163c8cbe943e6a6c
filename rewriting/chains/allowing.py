"""Allowing: an operator approves a pair that the guards refuse, or takes the approval back.

The chain is made anew by who holds it; the row is live after that, if the log warrants it.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from labeling.text.normalisation import normalise
from rewriting.chains.store import CHAIN_STORE
from rewriting.errors import RewriteTableError, UnknownRewriteError
from rewriting.guards.allowed_rewrites import AllowedRewrite, add_allowed, allowed_rewrites, end_allowed
from rewriting.guards.refused_rewrites import refused_rewrites
from rewriting.table.occasion import locale_key
from rewriting.table.revision import STANDS, stored_rewrites
from rewriting.table.rewrite import GLOBAL, RewriteId
from rewriting.table.row_change import storable_text
from streams.turn import AssistantId

log = structlog.get_logger()


def allow_rewrite(
    connection: Connection,
    assistant_id: AssistantId,
    rewrite_id: RewriteId,
    *,
    target: str | None = None,
    reason: str,
    actor: str,
    now_ms: int,
) -> AllowedRewrite:
    """Approves a pair, whatever the guards say of it; one that is approved stays as it is.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rewrite it is.
        rewrite_id: that the row has, or would have.
        target: its target text; needed where several targets of the source are refused.
        reason: why, for the record.
        actor: who approves it.
        now_ms: milliseconds since 1970.

    Raises:
        UnknownRewriteError: nothing is refused under this id, and no row has it.
        RewriteTableError: several targets are refused, and none is named; or the guards do not judge it.
    """
    pairs = _pairs(connection, assistant_id, rewrite_id, target)
    if len(pairs) > 1:
        targets = ", ".join(repr(one) for _, one, _ in pairs)
        raise RewriteTableError(
            f"the guards refuse several targets of {pairs[0][0]!r}: name one of {targets}"
        )
    ((source_text, target_text, locale),) = pairs
    for known in allowed_rewrites(connection, assistant_id):
        if (known.rewrite_id, known.target_text) == (rewrite_id, target_text):
            return known
    allowed = AllowedRewrite(
        rewrite_id=rewrite_id,
        source_text=source_text,
        target_text=target_text,
        locale=locale,
        reason=storable_text(reason),
        actor=storable_text(actor),
        allowed_ms=now_ms,
    )
    add_allowed(connection, assistant_id, allowed)
    CHAIN_STORE.start_epoch(connection, assistant_id)
    log.info("rewrite allowed", assistant_id=assistant_id, rewrite_id=rewrite_id, actor=actor)
    return allowed


def disallow_rewrite(
    connection: Connection,
    assistant_id: AssistantId,
    rewrite_id: RewriteId,
    *,
    reason: str,
    actor: str,
    now_ms: int,
) -> list[AllowedRewrite]:
    """Takes every approval of a row back: the guards judge its pairs again. Gives what was approved.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rewrite it is.
        rewrite_id: that the row has, or would have.
        reason: why, for the record.
        actor: who takes it back.
        now_ms: milliseconds since 1970.

    Raises:
        UnknownRewriteError: nothing is approved under this id.
    """
    ended = [one for one in allowed_rewrites(connection, assistant_id) if one.rewrite_id == rewrite_id]
    if not ended:
        raise UnknownRewriteError(
            f"nothing is allowed for assistant {assistant_id!r} under the id {rewrite_id!r}"
        )
    for one in ended:
        end_allowed(connection, assistant_id, one, storable_text(reason), storable_text(actor), now_ms)
    CHAIN_STORE.start_epoch(connection, assistant_id)
    log.info("rewrite disallowed", assistant_id=assistant_id, rewrite_id=rewrite_id, actor=actor)
    return ended


def _pairs(
    connection: Connection, assistant_id: AssistantId, rewrite_id: RewriteId, target: str | None
) -> Sequence[tuple[str, str, str]]:
    """Source, target and locale of what an id may stand for: what is refused, else the row that is there."""
    refused = {
        (one.source_text, one.target_text, one.locale)
        for one in refused_rewrites(connection, assistant_id, rewrite_id)
    }
    row = stored_rewrites(connection, assistant_id, [rewrite_id], STANDS).get(rewrite_id)
    rewrite = None if row is None else row.rewrite
    if rewrite is not None and (rewrite.scope != GLOBAL or rewrite.question or rewrite.method != "chain"):
        raise RewriteTableError(
            f"the guards do not judge rewrite {rewrite_id!r}: only those of a chain, for everybody and "
            "whatever was asked; `block` and `unblock` decide on the others"
        )
    of_row = set()
    if rewrite is not None and normalise(rewrite.target_text):
        of_row.add((rewrite.source_text, normalise(rewrite.target_text), locale_key(rewrite.locale)))
    if target is not None:
        wanted = {pair for pair in refused | of_row if pair[1] == normalise(target)}
        if not wanted:
            raise UnknownRewriteError(
                f"no refused or standing rewrite {rewrite_id!r} of assistant {assistant_id!r} has the target "
                f"{target!r}: `rehear table check` lists them"
            )
        return sorted(wanted)
    if not refused | of_row:
        raise UnknownRewriteError(
            f"assistant {assistant_id!r} has no rewrite {rewrite_id!r}, refused or not: "
            "`rehear table check` lists them"
        )
    return sorted(refused or of_row)
