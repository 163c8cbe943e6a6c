"""How tables change is counted as it can be counted by hand."""

from rewriting.table.rewrite import RewriteId
from services.evaluation.loop.changes import DayChange, table_changes
from services.evaluation.loop.history import LiveRows, Pair


def table(**rows: str) -> LiveRows:
    """A table of rows named after their sources."""
    return {RewriteId(source): Pair(source, target) for source, target in rows.items()}


def never(pair: Pair, day: int) -> bool:
    return False


def test_rows_that_appear_go_and_change_are_counted_on_the_day_they_do() -> None:
    tables = [table(), table(a="x", b="y"), table(a="z", b="y"), table(b="y", c="w")]

    changes = table_changes(tables, never)

    assert changes.days == (DayChange(), DayChange(2, 0, 0), DayChange(0, 0, 1), DayChange(1, 1, 0))


def test_a_row_flips_when_it_goes_comes_back_and_changes_its_target_but_not_when_it_first_appears() -> None:
    tables = [table(a="x"), table(), table(a="x"), table(a="y"), table(a="y")]

    changes = table_changes(tables, never)

    assert (changes.flips, changes.pairs) == (3, 2)
    assert changes.flips_per_pair == 1.5


def test_only_the_first_change_of_a_row_that_an_event_asks_for_is_no_flip() -> None:
    tables = [table(a="x"), table(a="y"), table(a="x"), table(a="y")]

    changes = table_changes(tables, lambda pair, day: pair.target == "x")

    assert changes.flips == 2


def test_a_change_before_the_event_that_asks_for_it_is_a_flip() -> None:
    tables = [table(a="x"), table(), table()]

    assert table_changes(tables, lambda pair, day: day >= 2).flips == 1


def test_a_row_is_lost_with_its_target_when_that_becomes_a_source_on_the_same_day() -> None:
    tables = [
        table(a="x", b="x", c="y"),
        table(x="z"),  # a and b fall as x becomes a source; c goes by itself
    ]

    assert table_changes(tables, never).lost_with_target == 2


def test_tables_without_rows_have_no_flips() -> None:
    assert table_changes([table(), table()], never).flips_per_pair == 0
