"""What is read of a rewrite table: one version of it, what changed after one, and what it was made for."""

from msgspec import Struct

from rewriting.table.rewrite import Rewrite, RewriteId, TableVersion
from streams.turn import AssistantId


class TableSnapshot(Struct, frozen=True):
    """One version of one assistant's table."""

    assistant_id: AssistantId
    version: TableVersion  # 0: nothing was ever written
    rewrites: tuple[Rewrite, ...]  # of every status; sorted by id


class TableDelta(Struct, frozen=True):
    """What changed in one assistant's table after one version and up to another."""

    assistant_id: AssistantId
    since: TableVersion
    version: TableVersion
    rewrites: tuple[Rewrite, ...]  # as they are at `version`, of every status; sorted by id
    forgotten: tuple[RewriteId, ...]  # no longer in the table at all, nor in its history; sorted


class VersionRecord(Struct, frozen=True):
    """What a version was made for."""

    version: TableVersion
    changed_ms: int  # milliseconds since 1970
    reason: str
    actor: str
    changes: int  # rewrites that changed


class BlockedPair(Struct, frozen=True):
    """A target that a source must not be rewritten to."""

    rewrite_id: RewriteId  # stands for scope, source, question and place
    target_text: str
    reason: str
    actor: str
    blocked_ms: int  # milliseconds since 1970
