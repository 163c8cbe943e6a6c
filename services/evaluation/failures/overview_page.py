"""The report for a team: where its assistant fails; JSON for programs, and one HTML file for people."""

from collections.abc import Mapping
from typing import Final

from rich.table import Table

from failure_isolation.rule import FAILURE_POINTS
from labeling.annotations.annotation import FailurePoint
from services.evaluation.common.dialogue_example import seconds_in_words
from services.evaluation.common.report_files import Report, page, share_cell
from services.evaluation.failures.overview import NOT_TOLD, FailureOverview
from services.evaluation.failures.plots import FAILURE_COLOURS, days_plot, in_words

JSON_NAME: Final = "failures.json"

MEANINGS: Final[Mapping[FailurePoint, tuple[str, str]]] = {
    "false_wake": (
        "The device answered though nobody had spoken to it.",
        "Look at the wake word detector on these devices: its threshold, and what was playing or being said.",
    ),
    "asr": (
        "The words were heard wrongly, and everything after went by the wrong words.",
        "Give the recogniser the names and phrases below, by its vocabulary, boosts or training "
        "recordings. A rewrite can mend those that come again.",
    ),
    "nlu": (
        "The words were right, and were taken for another wish.",
        "Add the requests below to the training texts of the intent that was meant; look at intents that are "
        "taken for each other. A rewrite can mend those that come again.",
    ),
    "entity_resolution": (
        "The wish was right, and a name in it was taken for another thing, or for none.",
        "Look at the catalogue: missing entries, other names of the same thing, the order of candidates.",
    ),
    "result": (
        "Everything was understood, and the outcome was wrong or missing.",
        "Look at the service behind: errors, empty answers, content. No rewrite can mend this.",
    ),
    "correct": ("The user got what was asked for, or the assistant does not support it.", ""),
}
"""What each class is, and what a team can do about it."""


def failure_overview_report(overview: FailureOverview) -> Report:
    """The overview as a page, and as a table of how often each class occurs."""
    html = page(
        "failure_overview.html",
        overview=overview,
        points=[point for point in FAILURE_POINTS if point != "correct"],
        meanings=MEANINGS,
        colours=FAILURE_COLOURS,
        in_words=in_words,
        time=seconds_in_words,
        days=_days(overview),
    )
    return Report(evaluation=overview, html=html, tables=[_table(overview)], json_name=JSON_NAME)


def _table(overview: FailureOverview) -> Table:
    table = Table(
        title=f"{overview.failing_turns:,} of {overview.turns:,} turns of {overview.users:,} users failed"
    )
    for column in ("class", "turns", "share", "expected"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for one in overview.points:
        table.add_row(
            one.failure_point, f"{one.turns:,}", share_cell(one.share), f"{100 * one.expected:.1f} %"
        )
    table.caption = f"with 95 % confidence intervals over {overview.cluster}"
    return table


def _days(overview: FailureOverview) -> bytes | None:
    days = [
        day for one in overview.groupings if one.by == "day" for day in one.groups if day.group != NOT_TOLD
    ]
    shares = {
        point: [day.points[number].turns / day.turns for day in days]
        for number, point in enumerate(FAILURE_POINTS)
    }
    return days_plot([day.group for day in days], shares)
