"""The report on a closed loop: `loop.json` for programs, and one HTML file for people.

Neither holds a clock or a path, so the same loop gives the same bytes.
"""

from collections.abc import Callable
from typing import Final

from rich.table import Table

from services.evaluation.common.report_files import Report, page
from services.evaluation.loop.plots import changes_plot, defects_plot, rows_plot, wins_plot
from services.evaluation.loop.score import LoopScores, LoopSummary

JSON_NAME: Final = "loop.json"

_MEASURES: Final[tuple[tuple[str, Callable[[LoopSummary], str], str], ...]] = (
    (
        "defects removed, last 5 days",
        lambda one: _percent(one.defects_removed_last_5_days),
        "Wins less losses, of all treated turns that would have been wrong as they were said.",
    ),
    ("wins", lambda one: f"{one.wins:,}", "Treated turns that a rewrite made right."),
    (
        "losses",
        lambda one: f"{one.losses:,}",
        "Treated turns that a rewrite made wrong, planted rewrites included.",
    ),
    ("wins for each loss", lambda one: _number(one.wins_per_loss, "∞"), "∞: nothing was lost."),
    (
        "flips per pair",
        lambda one: f"{one.flips_per_pair:.3f}",
        "Live rows that went, came back or changed their target, for each pair that was ever live. The first "
        "change of a row that an event asks for is not counted.",
    ),
    (
        "rows lost with their target",
        lambda one: f"{one.rows_lost_with_their_target:,}",
        "Rows that went on the day on which their target became the source of another.",
    ),
    (
        "planted: nights live",
        lambda one: f"{one.planted_nights_live:,}",
        "Nights after which at least one planted row was served.",
    ),
    (
        "planted: requests harmed",
        lambda one: f"{one.planted_harmed:,}",
        "Requests of honest users that were right as said, and wrong as a planted row ran them.",
    ),
    (
        "withdrawn: requests until demoted",
        lambda one: _number(one.withdrawn_requests_until_demoted, "no such row"),
        "Median over the rows that led to what was withdrawn: failed requests of users who did not make the "
        "row, until it was served no more. A row that never went counts with those it had.",
    ),
    (
        "switched: followed after 7 days",
        lambda one: _percent(one.switched_followed_after_7_days),
        "Of the sources that led to what was meant before, those that led to what is meant now, by how often "
        "that was meant by them.",
    ),
    (
        "renamed: old names that lead to the new",
        lambda one: f"{one.renamed_followed:,} of {one.renamed_names:,}",
        "Old names that were said at least three times after the change, and a row of which led to the new "
        "name at some time.",
    ),
    (
        "calls to somebody else",
        lambda one: f"{_percent(one.sensitive_to_somebody_else)} of {one.calls_by_rewrite:,}",
        "Of the calls that a rewrite made, those to somebody who was not meant.",
    ),
)
"""Title, cell and meaning of each measure."""


def loop_report(scores: LoopScores) -> Report:
    """The scores as a page with curves by day, and as a table of the learners."""
    settings = scores.settings
    rows = [
        (title, [cell(scores.summary[learner]) for learner in settings.learners], meaning)
        for title, cell, meaning in _MEASURES
    ]
    table = Table(
        title=f"simulated: {settings.days} days, {settings.users:,} users, seed {settings.seed}"
        f"{'' if settings.guards else ', without guards of meaning'}"
    )
    table.add_column("")
    for learner in settings.learners:
        table.add_column(learner, justify="right")
    for title, cells, _ in rows:
        table.add_row(title, *cells)
    pictures = [
        ("Defects of treated turns", defects_plot(scores)),
        ("Wins and losses", wins_plot(scores)),
        ("Live rows", rows_plot(scores)),
        ("Rows that went or changed their target", changes_plot(scores)),
    ]
    return Report(
        evaluation=scores,
        html=page("loop_report.html", scores=scores, rows=rows, pictures=pictures),
        tables=[table],
        json_name=JSON_NAME,
    )


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None, nothing: str) -> str:
    return nothing if value is None else f"{value:.1f}"
