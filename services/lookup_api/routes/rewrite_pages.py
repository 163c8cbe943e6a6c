"""Rewrites in pages, and how many there are, for operators who look around in a table."""

from sqlalchemy import Engine, false, func, or_, select

from labeling.text.normalisation import normalise
from rewriting.table.revision import stored_rewrites
from rewriting.table.rewrite import RewriteId, RewriteStatus
from rewriting.table.schema import REWRITES
from services.lookup_api.messages import RewritePage
from streams.stores.database_schema import reading
from streams.turn import AssistantId

_STANDS = REWRITES.c.until_version.is_(None)


def rewrite_page(
    engine: Engine,
    assistant_id: AssistantId,
    *,
    status: RewriteStatus | None = None,
    text: str | None = None,
    after: RewriteId | None = None,
    limit: int = 100,
) -> RewritePage:
    """Some rewrites as they are now, ordered by id.

    Args:
        engine: the database of the rewrite table.
        assistant_id: whose rewrites.
        status: only those of this status.
        text: only those with these words, in this order, somewhere in their source or target.
        after: the last id of the page before.
        limit: how many at most; as many as fit in one statement (`KEYS_PER_STATEMENT`).
    """
    rows = REWRITES.c
    wanted = select(rows.rewrite_id).where(rows.assistant_id == assistant_id, _STANDS)
    if status is not None:
        wanted = wanted.where(rows.status == status)
    if text is not None:
        in_target = func.lower(rows.target_text).contains(text.lower(), autoescape=True)
        in_source = (
            rows.source_text.contains(words, autoescape=True) if (words := normalise(text)) else false()
        )
        wanted = wanted.where(or_(in_source, in_target))
    if after is not None:
        wanted = wanted.where(rows.rewrite_id > after)
    wanted = wanted.order_by(rows.rewrite_id).limit(limit + 1)
    with reading(engine) as connection:
        ids = list(connection.scalars(wanted))
        stored = stored_rewrites(connection, assistant_id, ids[:limit], _STANDS)
    return RewritePage(
        rewrites=tuple(stored[rewrite_id].rewrite for rewrite_id in ids[:limit]),
        next_after=ids[limit - 1] if len(ids) > limit else None,
    )


def counts_by_status(engine: Engine, assistant_id: AssistantId) -> dict[str, int]:
    """The number of rewrites of each status that occurs."""
    rows = REWRITES.c
    statement = (
        select(rows.status, func.count())
        .where(rows.assistant_id == assistant_id, _STANDS)
        .group_by(rows.status)
        .order_by(rows.status)
    )
    with reading(engine) as connection:
        return {status: count for status, count in connection.execute(statement)}
