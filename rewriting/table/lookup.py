"""The live rewrites of one assistant in memory, for lookups in microseconds.

A `LookupTable` never changes: a change of the rewrite table makes a new one with `with_changes`, and the
holder swaps one reference, so that a lookup sees one version whole.

Rows lie in 1,024 small dictionaries by the hash of their key. A new table shares all those that the change
does not touch: one changed row among a million costs the copy of one dictionary of about 1,000 entries (some
10 microseconds) and never a copy of the table, and a change of every row is made in 1,024 small steps,
between which other threads run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, TypeVar, cast

from msgspec import Struct, structs

from labeling.text.normalisation import normalise
from labeling.text.question import NO_QUESTION
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.confidence_limits import ConfidenceLimits, KnownParts, is_below
from rewriting.table.occasion import (
    ANY_KIND,
    ANY_LOCALE,
    ANYWHERE,
    AskedKind,
    Place,
    TurnKind,
    locale_key,
)
from rewriting.table.rewrite import (
    GLOBAL,
    Method,
    Rewrite,
    RewriteId,
    RewriteStatus,
    Scope,
    TableVersion,
    user_scope,
)
from streams.turn import AssistantId

LONGEST_TEXT: Final = 1_000
"""Characters: a minute of speech. Raising it lets one request hold up others while it is normalised
(10,000 characters of any script: some milliseconds); lower would cut long typed requests."""

_Value = TypeVar("_Value")

_SHARDS: Final = 1_024  # a power of two: dictionaries of 1,000 entries at a million rows


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
    """What is kept of a rewrite: without its scope, source, question and place, which its key tells."""

    rewrite_id: RewriteId
    text: str
    method: Method
    score: float
    limits: ConfidenceLimits | None
    blocked: bool


_Shard = dict[str, _Row]


class LookupCounts(Struct, frozen=True):
    """Sizes of a lookup table, in rows."""

    live: int = 0
    blocked: int = 0
    personal: int = 0  # of both, those that hold for one user alone
    asked: int = 0  # of both, those that hold after one question alone
    in_locale: int = 0  # of both, those that hold in one locale alone
    of_kind: int = 0  # of both, those that hold for one kind of turn alone
    rephrased: int = 0  # of both, those that come from detected rephrases


class LookupTable:
    """The rewrites of one assistant by normalised text.

    Those that hold after the very question that was asked come before those that hold whatever was asked;
    within either, a user's own before those of everybody; within these, those of the very locale before those
    of any; and last, those of the very kind of turn before those of any. What comes from detected rephrases
    stands beside the others and after all of them; as long as it is a candidate, it is not in here.

    A lookup asks for rows of one locale or kind only where the table has any.

    About 340 bytes a row, texts of 40 characters included: of each, only what an answer needs is kept, and
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
        forgotten: Collection[RewriteId] = (),
    ) -> LookupTable:
        """This table after a change; this one stays as it is.

        Args:
            version: of the table after the change.
            changed: rows as they are now, of any status; a row that is live or blocked replaces the one of
                its scope, source text, question, place and method, any other status takes it out.
            forgotten: rows that are there no more. Their places are not known, so all rows are looked at:
                some 50 ms for a million.
        """
        shards = list(self._shards)
        copied: set[int] = set()
        counts = _Counts(self.counts)

        def put(key: str, row: _Row | None) -> None:
            index = hash(key) % _SHARDS
            if index not in copied:
                shards[index] = shards[index].copy()
                copied.add(index)
            former = shards[index].pop(key, None)
            if former is not None:
                counts.count(key, former, -1)
            if row is not None:
                shards[index][key] = row
                counts.count(key, row, 1)

        for key in self._keys_of(frozenset(forgotten)):
            put(key, None)
        shared: dict[object, object] = {}  # a value that many rows have is kept once
        for rewrite in changed:
            row = _row(rewrite, shared) if rewrite.status in _KEPT else None
            key = _key(rewrite.scope, rewrite.source_text, rewrite.question)
            if (place := rewrite.place) is not ANYWHERE:
                key += _mark(place)
            put(key + _REPHRASED if rewrite.method == "rephrase" else key, row)
        return LookupTable(self.assistant_id, version, tuple(shards), counts.sizes())

    def _keys_of(self, rewrite_ids: frozenset[RewriteId]) -> list[str]:
        if not rewrite_ids:
            return []
        return [key for shard in self._shards for key, row in shard.items() if row.rewrite_id in rewrite_ids]

    def __len__(self) -> int:
        return self.counts.live

    def look_up(
        self,
        text: str,
        user_id: str | None = None,
        confidence: float | None = None,
        question: str = NO_QUESTION,
        *,
        locale: str | None = None,
        turn_kind: AskedKind | None = None,
        parts: KnownParts = "product",
    ) -> LookupAnswer:
        """The rewrite of a request.

        Of those for this very question the user's own, else that of everybody; else the same of those that
        hold whatever was asked. Of each, the one that holds for the fewest occasions.

        Never fails: a text of any length, script or content gets an answer.

        Args:
            text: as the user said it.
            user_id: who said it; None for rewrites of everybody alone.
            confidence: how surely it was understood, 0..1 (`understanding_confidence`). Some rewrites are
                only for requests that were not understood surely; unknown counts as sure.
            question: what the assistant had just asked (`question_of`); empty: nothing that is known.
            locale: of the request, in any spelling; None, or no locale at all: for rows of any locale alone.
            turn_kind: of the request (`turn_kind_of`); None: for rows of any kind alone.
            parts: of what the confidence was made: a row has a limit for each (`ConfidenceLimits`).
        """
        if len(text) > LONGEST_TEXT:
            return self._abstain(AbstainReason.TEXT_TOO_LONG)
        source_text = normalise(text)
        if not source_text:
            return self._abstain(AbstainReason.EMPTY_TEXT)
        if not self.version:
            return self._abstain(AbstainReason.NO_TABLE)
        reason = AbstainReason.NO_REWRITE_KNOWN
        counts = self.counts
        scopes = [GLOBAL] if user_id is None or not counts.personal else [user_scope(user_id), GLOBAL]
        keys = [(scope, _key(scope, source_text)) for scope in scopes]
        if question and counts.asked:
            keys = [(scope, _key(scope, source_text, question)) for scope in scopes] + keys
        if (counts.in_locale or counts.of_kind) and (marks := self._marks(locale, turn_kind)):
            keys = [(scope, key + mark) for scope, key in keys for mark in (*marks, "")]
        if counts.rephrased:
            keys += [(scope, key + _REPHRASED) for scope, key in keys]
        for scope, key in keys:
            row = self._shards[hash(key) % _SHARDS].get(key)
            if row is None:
                continue
            if row.blocked:
                reason = AbstainReason.BLOCKED
            elif row.limits is not None and not is_below(row.limits, confidence, parts):
                reason = AbstainReason.UNDERSTOOD_SURELY
            else:
                return self._answer(row, scope)
        return self._abstain(reason)

    def is_blocked(
        self,
        text: str,
        scope: Scope,
        question: str = NO_QUESTION,
        *,
        locale: str | None = None,
        turn_kind: AskedKind | None = None,
    ) -> bool:
        """Whether a text must not be rewritten in one scope, on this occasion or on any."""
        source_text = normalise(text)
        keys = {_key(scope, source_text, question), _key(scope, source_text)}
        keys |= {key + mark for key in keys for mark in self._marks(locale, turn_kind)}
        if self.counts.rephrased:
            keys |= {key + _REPHRASED for key in keys}
        rows = (self._shards[hash(key) % _SHARDS].get(key) for key in keys)
        return any(row is not None and row.blocked for row in rows)

    def _marks(self, locale: str | None, turn_kind: AskedKind | None) -> list[str]:
        """What the keys end with of the rows for one locale or kind that may hold; the narrowest first."""
        key = locale_key(locale) if self.counts.in_locale else ANY_LOCALE
        kind: TurnKind = turn_kind if turn_kind is not None and self.counts.of_kind else ANY_KIND
        if not key and kind == ANY_KIND:
            return []
        narrowest = Place(key, kind)
        return [_mark(place) for place in (narrowest, *narrowest.wider()) if place != ANYWHERE]

    def _answer(self, row: _Row, scope: Scope) -> LookupAnswer:
        rewrite = LiveRewrite(row.rewrite_id, row.text, row.method, scope, row.score)
        return LookupAnswer(rewrite, None, self.version)

    def _abstain(self, reason: AbstainReason) -> LookupAnswer:
        return LookupAnswer(None, reason, self.version)


_KEPT: Final[frozenset[RewriteStatus]] = frozenset({"live", "blocked"})
# No normalised text, question or locale has a control character, so no two keys are alike.
_AFTER_SCOPE: Final = "\x00"
_BEFORE_QUESTION: Final = "\x01"
_BEFORE_LOCALE: Final = "\x03"
_BEFORE_KIND: Final = "\x04"
_REPHRASED: Final = "\x02"  # at the end of the keys of what comes from detected rephrases


def _key(scope: Scope, source_text: str, question: str = NO_QUESTION) -> str:
    """One string for scope, text and question; the text itself where it holds for everybody, ever."""
    key = f"{source_text}{_BEFORE_QUESTION}{question}" if question else source_text
    return key if scope == GLOBAL else f"{scope}{_AFTER_SCOPE}{key}"


def _mark(place: Place) -> str:
    """What the key of a row ends with that holds in one locale or for one kind alone; else nothing."""
    locale = f"{_BEFORE_LOCALE}{place.locale}" if place.locale else ""
    return locale if place.turn_kind == ANY_KIND else f"{locale}{_BEFORE_KIND}{place.turn_kind}"


class _Counts:
    """The sizes of a table while its rows change."""

    def __init__(self, counts: LookupCounts) -> None:
        self._sizes: dict[str, int] = structs.asdict(counts)

    def count(self, key: str, row: _Row, step: int) -> None:
        """Counts a row that has come (`step` 1) or gone (-1)."""
        sizes = self._sizes
        sizes["blocked" if row.blocked else "live"] += step
        scope, _, rest = key.rpartition(_AFTER_SCOPE)
        if scope:
            sizes["personal"] += step
        if _BEFORE_QUESTION in rest:
            sizes["asked"] += step
        if _BEFORE_LOCALE in rest:
            sizes["in_locale"] += step
        if _BEFORE_KIND in rest:
            sizes["of_kind"] += step
        if rest.endswith(_REPHRASED):
            sizes["rephrased"] += step

    def sizes(self) -> LookupCounts:
        """The sizes by now."""
        return LookupCounts(**self._sizes)


def _row(rewrite: Rewrite, shared: dict[object, object]) -> _Row:
    def once(value: _Value) -> _Value:
        return cast(_Value, shared.setdefault(value, value))

    return _Row(
        rewrite_id=rewrite.rewrite_id,
        text=once(rewrite.target_text),
        method=once(rewrite.method),
        score=rewrite.score,
        limits=once(rewrite.limits),
        blocked=rewrite.status == "blocked",
    )
