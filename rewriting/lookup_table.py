"""The live rewrites of one assistant in memory, for lookups in microseconds.

A `LookupTable` never changes: a change of the rewrite table makes a new one with `with_changes`, and the
holder swaps one reference, so that a lookup sees one version whole.

Rows lie in 1,024 small dictionaries by the hash of their key. A new table shares all those that the change
does not touch: one changed row among a million costs the copy of one dictionary of about 1,000 entries (some
10 microseconds) and never a copy of the table, and a change of every row is made in 1,024 small steps,
between which other threads run.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from rewriting.rewrite import (
    GLOBAL,
    Method,
    Rewrite,
    RewriteId,
    RewriteStatus,
    Scope,
    TableVersion,
    user_scope,
)
from rewriting.text_normalisation import normalise
from streams.turn import AssistantId

LONGEST_TEXT: Final = 1_000
"""Characters: a minute of speech. Raising it lets one request hold up others while it is normalised
(10,000 characters of any script: some milliseconds); lower would cut long typed requests."""

_SHARDS: Final = 1_024  # a power of two: dictionaries of 1,000 entries at a million rows


class AbstainReason(enum.StrEnum):
    """Why a request stays as it is."""

    NO_REWRITE_KNOWN = "no_rewrite_known"
    BLOCKED = "blocked"  # an operator has taken the rewrite of this request back
    EMPTY_TEXT = "empty_text"  # no letter and no digit in it
    TEXT_TOO_LONG = "text_too_long"  # over `LONGEST_TEXT` characters
    NO_TABLE = "no_table"  # nothing was ever learned for this assistant


class LiveRewrite(Struct, frozen=True):
    """What a request is replaced by."""

    rewrite_id: RewriteId
    text: str
    method: Method
    scope: Scope
    score: float  # 0..1


class LookupAnswer(Struct, frozen=True):
    """A rewrite, or the reason why there is none; exactly one of the two."""

    rewrite: LiveRewrite | None
    reason: AbstainReason | None
    table_version: TableVersion


class _Row(Struct, frozen=True, gc=False):
    """What is kept of a rewrite: without its scope and source, which its key tells."""

    rewrite_id: RewriteId
    text: str
    method: Method
    score: float


_Shard = dict[str, _Row | None]  # None: blocked


class LookupTable:
    """The rewrites of one assistant by normalised text, a user's own before those of everybody.

    About 320 bytes a row, texts of 40 characters included: of each, only what an answer needs is kept, and
    targets that many rows share are kept once.
    """

    __slots__ = ("_shards", "assistant_id", "counts", "version")

    def __init__(
        self,
        assistant_id: AssistantId,
        version: TableVersion,
        shards: tuple[_Shard, ...],
        counts: LookupCounts,
    ) -> None:
        self.assistant_id = assistant_id
        self.version = version
        self.counts = counts
        self._shards = shards

    @classmethod
    def empty(cls, assistant_id: AssistantId) -> LookupTable:
        """The table of an assistant for which nothing was learned, at version 0."""
        return cls(assistant_id, TableVersion(0), ({},) * _SHARDS, LookupCounts())

    @classmethod
    def of(cls, assistant_id: AssistantId, version: TableVersion, rewrites: Iterable[Rewrite]) -> LookupTable:
        """The table of these rewrites, of any status; those neither live nor blocked do not matter here."""
        return cls.empty(assistant_id).with_changes(version, rewrites)

    def with_changes(
        self,
        version: TableVersion,
        changed: Iterable[Rewrite] = (),
        removed: Iterable[tuple[Scope, str]] = (),
    ) -> LookupTable:
        """This table after a change; this one stays as it is.

        Args:
            version: of the table after the change.
            changed: rows as they are now, of any status; a row that is live or blocked replaces the one of
                its scope and source text, any other status takes it out.
            removed: scope and normalised source text of rows that are there no more.
        """
        shards = list(self._shards)
        copied: set[int] = set()
        live, blocked, personal = self.counts.live, self.counts.blocked, self.counts.personal
        texts: dict[str, str] = {}  # a target that many rows share is kept once

        def put(scope: Scope, source_text: str, row: _Row | None, kept: bool) -> None:
            nonlocal live, blocked, personal
            key = _key(scope, source_text)
            index = hash(key) % _SHARDS
            if index not in copied:
                shards[index] = shards[index].copy()
                copied.add(index)
            shard = shards[index]
            is_personal = scope != GLOBAL
            if key in shard:
                former = shard.pop(key)
                live -= former is not None
                blocked -= former is None
                personal -= is_personal
            if kept:
                shard[key] = row
                live += row is not None
                blocked += row is None
                personal += is_personal

        for scope, source_text in removed:
            put(scope, source_text, None, kept=False)
        for rewrite in changed:
            row = None
            if rewrite.status == "live":
                text = texts.setdefault(rewrite.target_text, rewrite.target_text)
                row = _Row(rewrite.rewrite_id, text, rewrite.method, rewrite.score)
            put(rewrite.scope, rewrite.source_text, row, kept=rewrite.status in _KEPT)
        counts = LookupCounts(live=live, blocked=blocked, personal=personal)
        return LookupTable(self.assistant_id, version, tuple(shards), counts)

    def __len__(self) -> int:
        return self.counts.live

    def look_up(self, text: str, user_id: str | None = None) -> LookupAnswer:
        """The rewrite of a request, as the user said it; the user's own one before that of everybody.

        Never fails: a text of any length, script or content gets an answer.
        """
        if len(text) > LONGEST_TEXT:
            return self._abstain(AbstainReason.TEXT_TOO_LONG)
        source_text = normalise(text)
        if not source_text:
            return self._abstain(AbstainReason.EMPTY_TEXT)
        if not self.version:
            return self._abstain(AbstainReason.NO_TABLE)
        blocked = False
        if user_id is not None and self.counts.personal:
            scope = user_scope(user_id)
            key = _key(scope, source_text)
            row = self._shards[hash(key) % _SHARDS].get(key, _ABSENT)
            if isinstance(row, _Row):
                return self._answer(row, scope)
            blocked = row is None
        row = self._shards[hash(source_text) % _SHARDS].get(source_text, _ABSENT)
        if isinstance(row, _Row):
            return self._answer(row, GLOBAL)
        blocked = blocked or row is None
        return self._abstain(AbstainReason.BLOCKED if blocked else AbstainReason.NO_REWRITE_KNOWN)

    def _answer(self, row: _Row, scope: Scope) -> LookupAnswer:
        rewrite = LiveRewrite(row.rewrite_id, row.text, row.method, scope, row.score)
        return LookupAnswer(rewrite, None, self.version)

    def _abstain(self, reason: AbstainReason) -> LookupAnswer:
        return LookupAnswer(None, reason, self.version)


class LookupCounts(Struct, frozen=True):
    """Sizes of a lookup table, in rows."""

    live: int = 0
    blocked: int = 0
    personal: int = 0  # of both, those that hold for one user alone


_ABSENT: Final = object()
_KEPT: Final[frozenset[RewriteStatus]] = frozenset({"live", "blocked"})


def _key(scope: Scope, source_text: str) -> str:
    """One string for scope and text; no normalised text has a control character, so no two are alike."""
    return source_text if scope == GLOBAL else f"{scope}\x00{source_text}"
