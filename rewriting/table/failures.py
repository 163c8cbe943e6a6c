"""Failure points of rewrites: which stage fails most often in what a rewrite replaces.

Who mines rewrites knows nothing of them. They are a function of what is stored of failures, so they are made
anew where rows are written, and where what is stored changes; both under the lock of the table, so that the
later one sees what the earlier one has written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection

from rewriting.table.occasion import ANYWHERE, Place
from rewriting.table.revision import TableRevision, held_wishes, stored_rewrites
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, TableVersion, rewrite_id, user_scope
from rewriting.table.rewrite_table import LEARNER
from rewriting.table.row_change import StoredRewrite
from rewriting.table.schema import REWRITES
from streams.stores.database_schema import chunks
from streams.turn import AssistantId, UserId

REASON = "what fails most often in the original has changed"

PointsOf = Callable[[Sequence[Rewrite]], Mapping[RewriteId, str]]
"""The dominant failure point of each of some rewrites that has one."""


def rewrites_of(
    assistant_id: AssistantId, user_id: UserId, text: str, question: str, places: Iterable[Place] = ()
) -> set[RewriteId]:
    """The ids of all rewrites that a request can be the original of.

    Args:
        assistant_id: of the request.
        user_id: whose request it is.
        text: normalised, as it was said.
        question: that was asked before; may be empty.
        places: in which the assistant has rows, beside those that hold everywhere.
    """
    return {
        rewrite_id(assistant_id, scope, text, asked, method, place.locale, place.turn_kind)
        for place in (ANYWHERE, *places)
        for scope in (GLOBAL, user_scope(user_id))
        for asked in ("", question)
        for method in ("chain", "rephrase")  # the others have the ids of chains
    }


def with_failure_points(rewrites: Sequence[Rewrite], points_of: PointsOf) -> list[Rewrite]:
    """The rewrites, each with the failure point that it has by now, or none."""
    points = points_of(rewrites)
    return [msgspec.structs.replace(row, failure_point=points.get(row.rewrite_id)) for row in rewrites]


def renew_failure_points(
    connection: Connection,
    assistant_id: AssistantId,
    rewrite_ids: Iterable[RewriteId],
    points_of: PointsOf,
    changed_ms: int,
) -> TableVersion:
    """Gives rows of the table the failure points that they have by now; the same again changes nothing.

    Retired rows keep theirs: they say what was.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose table.
        rewrite_ids: of rows that may be there or not.
        points_of: says them; asked under the lock of the table.
        changed_ms: when, for the rows that change; milliseconds since 1970.

    Returns:
        The newest version after the call.
    """
    revision = TableRevision(connection, assistant_id, changed_ms, REASON, LEARNER)
    for ids in chunks(sorted(rewrite_ids)):
        found = stored_rewrites(connection, assistant_id, ids, REWRITES.c.until_version.is_(None))
        rows = [row for _, row in sorted(found.items()) if row.rewrite.status != "retired"]
        wishes = list(held_wishes(connection, assistant_id, ids).values())
        points = points_of([row.rewrite for row in rows])
        revision.write(
            [
                StoredRewrite(renewed, row.wished_status)
                for row in rows
                if (renewed := _with_point(row.rewrite, points)) != row.rewrite
            ]
        )
        revision.hold(renewed for wish in wishes if (renewed := _with_point(wish, points)) != wish)
    return revision.finish()


def _with_point(rewrite: Rewrite, points: Mapping[RewriteId, str]) -> Rewrite:
    return msgspec.structs.replace(rewrite, failure_point=points.get(rewrite.rewrite_id))
