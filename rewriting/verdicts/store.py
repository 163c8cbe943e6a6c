"""The row verdict store: what the ranker has said of the rows of the tables, in the database.

It holds ids of rows, hashes of users and confidence bands. Each assistant has a revision, which counts the
changes, so that whoever holds the verdicts in memory reads only what is new.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, delete, select

from labeling.models.in_use import ONLINE_MODEL
from rewriting.table.rewrite import RewriteId
from rewriting.table.schema import REWRITES, ROW_VERDICT_REVISIONS, ROW_VERDICTS
from rewriting.verdicts.row_verdicts import EVERYBODY, RowVerdict, TargetDigest, VerdictKey, target_digest
from streams.stores.assistant_row import AssistantRows
from streams.stores.database_schema import chunks, is_among, upsert
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

Verdicts = Mapping[VerdictKey, RowVerdict]


class VerdictRevision(Struct, frozen=True):
    """How far the verdicts of an assistant are."""

    revision: int = 0
    whole_revision: int = 0  # whoever holds an older one must read all anew: some were taken away


_REVISIONS: Final = AssistantRows(ROW_VERDICT_REVISIONS, VerdictRevision)


def verdict_revisions(connection: Connection) -> dict[AssistantId, VerdictRevision]:
    """The revision for each assistant that has a ranker, be there verdicts or none: one small query."""
    revisions = ROW_VERDICT_REVISIONS.c
    query = (
        select(ONLINE_MODEL.c.assistant_id, revisions.revision, revisions.whole_revision)
        .join_from(
            ONLINE_MODEL,
            ROW_VERDICT_REVISIONS,
            ONLINE_MODEL.c.assistant_id == revisions.assistant_id,
            isouter=True,
        )
        .where(ONLINE_MODEL.c.kind == "ranker")
    )
    return {
        AssistantId(assistant_id): VerdictRevision(revision or 0, whole_revision or 0)
        for assistant_id, revision, whole_revision in connection.execute(query)
    }


def verdicts_since(
    connection: Connection, assistant_id: AssistantId, revision: int = -1
) -> dict[VerdictKey, RowVerdict]:
    """The verdicts of an assistant that came or changed after a revision; by default, all."""
    return _verdicts(connection, assistant_id, ROW_VERDICTS.c.revision > revision)


def replace_verdicts(
    connection: Connection, assistant_id: AssistantId, ranker: str, verdicts: Verdicts
) -> None:
    """Puts what a ranker has said in the place of what others have; what it has said before stays.

    Where nothing is new, nothing changes.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rows.
        ranker: name of the artifact.
        verdicts: all that it says of the rows as they are.
    """
    locked = _REVISIONS.lock(connection, assistant_id)
    standing = _targets(connection, assistant_id)
    known = _verdicts(connection, assistant_id, ROW_VERDICTS.c.ranker == ranker)
    wanted = {key: one for key, one in known.items() if standing.get(key.rewrite_id) == one.target}
    for key, verdict in verdicts.items():
        before = wanted.get(key)
        wanted[key] = verdict if before is None else before.joined(verdict)
    everything = _verdicts(connection, assistant_id)
    if wanted == known == everything:
        return
    connection.execute(delete(ROW_VERDICTS).where(ROW_VERDICTS.c.assistant_id == assistant_id))
    newest = locked.revision + 1
    _write(connection, assistant_id, ranker, wanted, newest)
    _REVISIONS.set(connection, assistant_id, revision=newest, whole_revision=newest)


def add_verdicts(
    connection: Connection, assistant_id: AssistantId, noted: Verdicts, whole_revision: int
) -> None:
    """Adds what was noted while requests were answered.

    What is of another target than the row has by now is passed over, and so is all where no ranker is in use
    any more. Where verdicts were taken away since, what is of single users is passed over, too: they may have
    been forgotten.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose rows.
        noted: what is to be joined to what is there.
        whole_revision: that was known when it was noted.
    """
    ranker = connection.scalar(
        select(ONLINE_MODEL.c.name).where(
            ONLINE_MODEL.c.assistant_id == assistant_id, ONLINE_MODEL.c.kind == "ranker"
        )
    )
    if ranker is None or not noted:
        return
    locked = _REVISIONS.lock(connection, assistant_id)
    if locked.whole_revision != whole_revision:
        noted = {key: one for key, one in noted.items() if key.user_key == EVERYBODY}
    ids = sorted({key.rewrite_id for key in noted})
    standing: dict[RewriteId, TargetDigest] = {}
    for some in chunks(ids):
        standing |= _targets(connection, assistant_id, some)
    known = _verdicts(
        connection,
        assistant_id,
        is_among(connection, ROW_VERDICTS.c.rewrite_id, ids),
        is_among(connection, ROW_VERDICTS.c.user_key, {key.user_key for key in noted}),
    )
    changed: dict[VerdictKey, RowVerdict] = {}
    for key, verdict in noted.items():
        before = known.get(key)
        after = verdict if before is None else before.joined(verdict)
        if after != before and standing.get(key.rewrite_id) == verdict.target:
            changed[key] = after
    if changed:
        _write(connection, assistant_id, ranker, changed, locked.revision + 1)
        _REVISIONS.set(connection, assistant_id, revision=locked.revision + 1)


def clear_verdicts(connection: Connection, assistant_id: AssistantId) -> None:
    """Takes all verdicts of an assistant away: no ranker decides any more."""
    _take_away(connection, assistant_id)


def forget_user_verdicts(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Takes the verdicts for one user away; those on their own rows go with the rows."""
    _take_away(connection, assistant_id, ROW_VERDICTS.c.user_key == user_key(assistant_id, user_id))


def _take_away(connection: Connection, assistant_id: AssistantId, *conditions: ColumnElement[bool]) -> None:
    newest = _REVISIONS.lock(connection, assistant_id).revision + 1
    gone = connection.execute(
        delete(ROW_VERDICTS).where(ROW_VERDICTS.c.assistant_id == assistant_id, *conditions)
    )
    if gone.rowcount or conditions:
        _REVISIONS.set(connection, assistant_id, revision=newest, whole_revision=newest)


def _verdicts(
    connection: Connection, assistant_id: AssistantId, *conditions: ColumnElement[bool]
) -> dict[VerdictKey, RowVerdict]:
    columns = ROW_VERDICTS.c
    query = select(
        columns.rewrite_id, columns.user_key, columns.target_digest, columns.accepted, columns.rejected
    ).where(columns.assistant_id == assistant_id, *conditions)
    return {
        VerdictKey(RewriteId(rewrite_id), key): RowVerdict(TargetDigest(target), accepted, rejected)
        for rewrite_id, key, target, accepted, rejected in connection.execute(query)
    }


def _targets(
    connection: Connection, assistant_id: AssistantId, rewrite_ids: Iterable[RewriteId] | None = None
) -> dict[RewriteId, TargetDigest]:
    """What the rows that stand are rewritten to; of all rows, or of some."""
    rows = REWRITES.c
    query = select(rows.rewrite_id, rows.target_text).where(
        rows.assistant_id == assistant_id, rows.until_version.is_(None)
    )
    if rewrite_ids is not None:
        query = query.where(rows.rewrite_id.in_(list(rewrite_ids)))
    return {RewriteId(key): target_digest(target) for key, target in connection.execute(query)}


def _write(
    connection: Connection, assistant_id: AssistantId, ranker: str, verdicts: Verdicts, revision: int
) -> None:
    upsert(
        connection,
        ROW_VERDICTS,
        [
            {
                "assistant_id": assistant_id,
                "rewrite_id": key.rewrite_id,
                "user_key": key.user_key,
                "ranker": ranker,
                "target_digest": verdict.target,
                "accepted": verdict.accepted,
                "rejected": verdict.rejected,
                "revision": revision,
            }
            for key, verdict in sorted(verdicts.items())
        ],
    )
