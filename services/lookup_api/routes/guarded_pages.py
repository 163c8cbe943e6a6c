"""What the guards made of pairs, in pages, for operators."""

from sqlalchemy import Engine

from rewriting.guards.guarded_rewrites import (
    GuardedRewrite,
    GuardedState,
    counts_by_guarded_state,
    guarded_rewrites,
)
from rewriting.guards.refused_rewrites import digest
from services.lookup_api.messages import GuardedPage
from streams.stores.database_schema import reading
from streams.turn import AssistantId


def guarded_page(
    engine: Engine,
    assistant_id: AssistantId,
    *,
    state: GuardedState | None = None,
    after: str | None = None,
    limit: int = 100,
) -> GuardedPage:
    """Some of the pairs that the guards have judged, ordered by the id of their row.

    Args:
        engine: the database of the rewrite table.
        assistant_id: whose pairs.
        state: only those in this state.
        after: `next_after` of the page before.
        limit: how many at most.
    """
    with reading(engine) as connection:
        found = guarded_rewrites(connection, assistant_id)
    counts = counts_by_guarded_state(found)
    placed = {_place(one): one for one in found if state in (None, one.state)}
    rest = sorted(place for place in placed if after is None or place > after)
    return GuardedPage(
        by_state={name: count for name, count in counts.items()},
        rewrites=tuple(placed[place] for place in rest[:limit]),
        next_after=rest[limit - 1] if len(rest) > limit else None,
    )


def _place(one: GuardedRewrite) -> str:
    """Where a pair stands among all: a source can have several targets."""
    return f"{one.rewrite_id}-{digest(one.target)}"
