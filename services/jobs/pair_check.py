"""Pair checks: which rows of a table the guards refuse, and which pairs they hold back, with their reasons.

Nothing is written. Pairs whose source fewer than `[chain] min_text_users` users have said are counted, and
not told.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Engine

from labeling.text.normalisation import normalise
from rewriting.chains.step import session_steps
from rewriting.guards.allowed_rewrites import allowed_pairs
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.refused_rewrites import RefusedRewrite
from rewriting.table.occasion import locale_key
from rewriting.table.rewrite import GLOBAL, Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.learners.assistant_miners import AssistantMiners, guard_of, in_order
from services.learners.current_steps import current_steps
from services.settings import Settings
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent
from streams.turn_file import read_turns

REFUSED = "refused"
"""Status of a pair that is in no table."""

_OF_ANSWERS: tuple[RefusalReason, ...] = ("opposite", "number")
"""What a row after a question is judged for: else its two texts need not be alike."""


class TableRow(Struct, frozen=True, kw_only=True):
    """What is read of a row of an exported table."""

    source_text: str
    target_text: str
    rewrite_id: str = ""
    assistant_id: str = ""
    scope: str = GLOBAL
    locale: str = ""
    question: str = ""
    status: str = "live"


class CheckedPair(Struct, frozen=True, kw_only=True):
    """One pair, and what the guards say of it."""

    rewrite_id: str  # that the row has, or would have
    assistant_id: str
    source: str  # normalised
    target: str
    scope: str
    locale: str  # empty: any
    question: str  # only after this; empty: whatever was asked
    status: str  # of its row; `REFUSED`: it has none
    refused: bool
    allowed: bool  # somebody has approved what the guards refuse
    reasons: tuple[RefusalReason, ...]

    @property
    def is_fault(self) -> bool:
        """Whether it is served though the guards refuse it."""
        return self.refused and self.status == "live"


class PairCheck(Struct, frozen=True):
    """What was checked, faults first, then by source."""

    pairs: tuple[CheckedPair, ...]
    hidden: tuple[CheckedPair, ...] = ()  # too few have said their source to show them

    @property
    def faults(self) -> list[CheckedPair]:
        """The live rows that are refused, hidden ones too."""
        return [pair for pair in (*self.pairs, *self.hidden) if pair.is_fault]

    @property
    def faults_by_reason(self) -> dict[RefusalReason, int]:
        """The same, counted; one with two reasons counts for both."""
        counts = Counter(reason for pair in self.faults for reason in pair.reasons)
        return {reason: counts[reason] for reason in REFUSAL_REASONS if counts[reason]}


def check_state(
    engine: Engine, table: RewriteTable, settings: Settings, assistant_id: AssistantId
) -> PairCheck:
    """Checks the live rows of an assistant and what its guards hold back, by the counts of its chain."""
    miners = AssistantMiners(assistant_id, settings)  # what is allowed is judged like all else, and told
    with reading(engine) as connection:
        for steps in current_steps(connection, assistant_id, settings.evidence):
            miners.add(steps)
        allowed = allowed_pairs(connection, assistant_id)
    miners.solve()
    rows = table.read(assistant_id, status="live").rewrites
    judged = _judged_rows(miners, rows, guard_of(settings))
    checked = [
        _checked_row(row, reasons, is_allowed=_is_allowed(row, allowed))
        for row, reasons in zip(rows, judged, strict=True)
    ]
    served = {(pair.source, normalise(pair.target), locale_key(pair.locale)) for pair in checked}
    checked += [
        _held_back(
            assistant_id,
            pair,
            is_allowed=_covers(allowed, pair.source_text, pair.target_text, pair.locale),
        )
        for pair in miners.refused
        if not _covers(served, pair.source_text, pair.target_text, pair.locale)
    ]
    least = settings.chain.min_text_users
    shown = [pair for pair in checked if miners.users_of(pair.source) >= least]
    hidden = [pair for pair in checked if miners.users_of(pair.source) < least]
    return PairCheck(_sorted(shown), _sorted(hidden))


def check_turns(
    files: Sequence[str | Path],
    settings: Settings,
    clock_ms: Callable[[], int],
    assistant_id: AssistantId | None = None,
) -> PairCheck:
    """Mines turns files in memory, and tells the rows that they warrant and the pairs that are held back.

    Args:
        files: of turn events.
        settings: of sessions, chains, answers and guards.
        clock_ms: milliseconds since 1970.
        assistant_id: of whom alone turns are taken; by default of all.

    Raises:
        TurnFileError: a file cannot be read.
    """
    turns: dict[str, list[TurnEvent]] = {}
    for file in files:
        for turn in read_turns(file, clock_ms):
            if assistant_id in (None, turn.assistant_id):
                turns.setdefault(turn.assistant_id, []).append(turn)
    checked: list[CheckedPair] = []
    for key, said in sorted(turns.items()):
        miners = AssistantMiners(AssistantId(key), settings)
        for session in sessionize(said, settings.sessions.gap_ms):
            miners.add(session_steps(session))
        miners.solve()
        checked += [_checked_row(row, (), is_allowed=False) for row in miners.rewrites]
        checked += [_held_back(AssistantId(key), pair, is_allowed=False) for pair in miners.refused]
    return PairCheck(_sorted(checked))


def check_rows(rows: Iterable[TableRow], settings: Settings) -> PairCheck:
    """Checks the rows of an exported table by their texts alone, without those withdrawn or blocked."""
    guard = guard_of(settings)
    checked = [
        _checked_row(row, _by_text(row, guard), is_allowed=False)
        for row in rows
        if row.status not in ("retired", "blocked") and row.target_text
    ]
    return PairCheck(_sorted(checked))


def _judged_rows(
    miners: AssistantMiners, rows: Sequence[Rewrite], guard: PairGuard
) -> list[tuple[RefusalReason, ...]]:
    """Why the guards refuse each of some live rows, by the counts of the chain."""
    warranted = {(row.source_text, normalise(row.target_text), row.locale) for row in miners.rewrites}
    by_guard = miners.refusals(rows)
    judged = []
    for row in rows:
        source, target = row.source_text, normalise(row.target_text)
        if row.question or row.scope != GLOBAL:
            judged.append(_by_text(row, guard))
        elif _covers(warranted, source, target, row.locale):
            judged.append(())
        elif any((source, target) == (one, other) for one, other, _ in warranted):
            judged.append(in_order(["locale"]))
        else:
            judged.append(in_order([*by_guard.get(row.rewrite_id, ()), *miners.lack_of_evidence(row)]))
    return judged


def _by_text(row: Rewrite | TableRow, guard: PairGuard) -> tuple[RefusalReason, ...]:
    """Why the texts of a row alone are no rewrite."""
    source, target = normalise(row.source_text), normalise(row.target_text)
    reasons = guard.refusals_of_text(source, target, row.locale)
    return tuple(reason for reason in reasons if not row.question or reason in _OF_ANSWERS)


def _covers(pairs: AbstractSet[tuple[str, str, str]], source: str, target: str, locale: str) -> bool:
    """Whether one of some pairs holds in a locale."""
    return not pairs.isdisjoint({(source, target, locale_key(locale)), (source, target, "")})


def _is_allowed(row: Rewrite, allowed: AbstractSet[tuple[str, str, str]]) -> bool:
    return not row.question and _covers(allowed, row.source_text, normalise(row.target_text), row.locale)


def _checked_row(
    row: Rewrite | TableRow, reasons: tuple[RefusalReason, ...], *, is_allowed: bool
) -> CheckedPair:
    return CheckedPair(
        rewrite_id=row.rewrite_id,
        assistant_id=row.assistant_id,
        source=row.source_text,
        target=row.target_text,
        scope=row.scope,
        locale=row.locale,
        question=row.question,
        status=row.status,
        refused=bool(reasons) and not is_allowed,
        allowed=is_allowed,
        reasons=reasons,
    )


def _held_back(assistant_id: AssistantId, pair: RefusedRewrite, *, is_allowed: bool) -> CheckedPair:
    return CheckedPair(
        rewrite_id=pair.rewrite_id(assistant_id),
        assistant_id=assistant_id,
        source=pair.source_text,
        target=pair.target_text,
        scope=GLOBAL,
        locale=pair.locale,
        question="",
        status=REFUSED,
        refused=not is_allowed,
        allowed=is_allowed,
        reasons=pair.reasons,
    )


def _sorted(pairs: Iterable[CheckedPair]) -> tuple[CheckedPair, ...]:
    return tuple(
        sorted(
            pairs,
            key=lambda pair: (not pair.is_fault, pair.source, pair.locale, pair.question, pair.target),
        )
    )
