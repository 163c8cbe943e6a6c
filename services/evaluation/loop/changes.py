"""How the served table changed from day to day."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from rewriting.table.rewrite import RewriteId
from services.evaluation.loop.history import LiveRows, Pair


class DayChange(Struct, frozen=True):
    """How the table of a day differs from that of the day before, in rows."""

    appeared: int = 0
    vanished: int = 0
    retargeted: int = 0


class TableChanges(Struct, frozen=True, kw_only=True):
    """How the tables of all days differ."""

    days: tuple[DayChange, ...]
    flips: int
    pairs: int  # that were ever live
    lost_with_target: int

    @property
    def flips_per_pair(self) -> float:
        """Flips for each pair that was ever live."""
        return self.flips / self.pairs if self.pairs else 0.0


def table_changes(tables: Sequence[LiveRows], asked_for: Callable[[Pair, int], bool]) -> TableChanges:
    """Counts what changed.

    A **flip** is a live row that goes, comes back, or changes its target; the first of a row that an event
    asks for is none. A row is **lost with its target** if it goes on the day on which its target becomes the
    source of a live row.

    Args:
        tables: served on each day.
        asked_for: whether an event of the world asks, by a day, that a pair is no more.
    """
    ever: set[RewriteId] = set()
    pairs: set[Pair] = set()
    excused: set[RewriteId] = set()
    days = []
    flips = lost_with_target = 0
    before: LiveRows = {}
    for day, rows in enumerate(tables):
        new = {row for row in rows if row not in before}
        gone = {row for row in before if row not in rows}
        other = {row for row in rows if row in before and rows[row] != before[row]}
        flips += len(new & ever)
        for row in gone | other:
            if row not in excused and asked_for(before[row], day):
                excused.add(row)
            else:
                flips += 1
        sources = {pair.source for pair in rows.values()} - {pair.source for pair in before.values()}
        lost_with_target += sum(before[row].target in sources for row in gone)
        days.append(DayChange(len(new), len(gone), len(other)))
        ever |= rows.keys()
        pairs |= set(rows.values())
        before = rows
    return TableChanges(days=tuple(days), flips=flips, pairs=len(pairs), lost_with_target=lost_with_target)
