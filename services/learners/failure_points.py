"""Failure points in the rewrite table: what fails most often in the originals of rewrites.

A row of a global rewrite goes by the requests of all users, a personal one by those of its user, one that
holds after a question by those that came after it; their locale and kind of turn do not matter. A text that
is blocked by hand has no target, and goes by its requests as any other. A row that a rollback brings back has
the failure point that it had, until its rewrite or one of its failures changes.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from sqlalchemy import Connection

from failure_isolation.dominant_failure import Source, dominant_failures
from failure_isolation.store import (
    FAILURE_STORE,
    FailedTurn,
    SessionFailures,
    failed_turns,
    store_failures,
)
from failure_isolation.turn_failure import TurnFailure
from labeling.text.question import Question
from rewriting.table.failures import PointsOf, renew_failure_points, rewrites_of, with_failure_points
from rewriting.table.revision import held_places, lock_table
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, user_of
from rewriting.table.rewrite_table import RewriteTable
from streams.session import SessionId
from streams.turn import AssistantId
from streams.verdict import Judged


def put_rewrites(
    connection: Connection,
    table: RewriteTable,
    assistant_id: AssistantId,
    proposals: Sequence[Rewrite],
    withdrawn: Collection[RewriteId],
    reason: str,
    changed_ms: int,
    reasons: Mapping[RewriteId, str] = MappingProxyType({}),
) -> None:
    """`RewriteTable.put`, where each proposal has the failure point that what is stored gives it."""
    lock_table(connection, assistant_id)  # failures that are stored after this renew the rows themselves
    proposals = with_failure_points(proposals, _points_of(connection, assistant_id))
    table.put(connection, assistant_id, proposals, withdrawn, reason, changed_ms, reasons)


def keep_failures(
    connection: Connection,
    judged: Sequence[Judged[list[TurnFailure]]],
    void: Sequence[SessionId],
    now_ms: int,
) -> None:
    """Stores the failure points of sessions, and gives the rewrites that they concern theirs.

    Args:
        connection: in a transaction that writes.
        judged: sessions as they are, and their failure points.
        void: sessions of which what is stored holds no more.
        now_ms: milliseconds since 1970.
    """
    ids = [*(item.session.session_id for item in judged), *void]
    before = failed_turns(connection, ids)
    FAILURE_STORE.drop(connection, void)
    isolated = [SessionFailures(item.session, item.model, item.verdict) for item in judged]
    store_failures(connection, isolated, now_ms)
    renew_points(connection, before ^ failed_turns(connection, ids), now_ms)


def renew_points(connection: Connection, turns: Iterable[FailedTurn], now_ms: int) -> None:
    """Gives rewrites the failure points that they have by now.

    Args:
        connection: in a transaction that writes.
        turns: that have come, or are no more.
        now_ms: milliseconds since 1970.
    """
    concerned: dict[AssistantId, list[FailedTurn]] = {}
    for turn in turns:
        concerned.setdefault(turn.assistant_id, []).append(turn)
    for assistant_id, failed in sorted(concerned.items()):  # in one order, so that none waits in a ring
        lock_table(connection, assistant_id)  # rows that are written after this have their points already
        places = held_places(connection, assistant_id)
        ids: set[RewriteId] = set()
        for turn in failed:
            ids |= rewrites_of(assistant_id, turn.user_id, turn.source_text, turn.question, places)
        renew_failure_points(connection, assistant_id, ids, _points_of(connection, assistant_id), now_ms)


def _points_of(connection: Connection, assistant_id: AssistantId) -> PointsOf:
    def points_of(rewrites: Sequence[Rewrite]) -> dict[RewriteId, str]:
        sources = {row.rewrite_id: _source(row) for row in rewrites}
        points = dominant_failures(connection, assistant_id, set(sources.values()))
        return {key: points[source] for key, source in sources.items() if source in points}

    return points_of


def _source(rewrite: Rewrite) -> Source:
    user_id = None if rewrite.scope == GLOBAL else user_of(rewrite.scope)
    return Source(rewrite.source_text, Question(rewrite.question), user_id)
