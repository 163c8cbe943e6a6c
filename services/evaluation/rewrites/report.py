"""The report of an evaluation: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from pathlib import Path

from services.evaluation.common.report_files import (
    ReportFiles,
    interval_text,
    page,
    report_json,
    write_report_files,
)
from services.evaluation.common.training_log import TEXT_SEEN, USER_SEEN
from services.evaluation.rewrites.plots import interval_plot, tradeoff_plot, wins_losses_plot
from services.evaluation.rewrites.score import RewriteEvaluation, Score

TABLED_BREAKDOWNS = (
    "recording heard before",
    "confused",
    USER_SEEN,
    TEXT_SEEN,
    "layer",
    "method",
    "scope",
)
"""Breakdowns shown as a table; the others, with many groups, are drawn."""

DRAWN_BREAKDOWNS = ("domain", "day")


def write_report(evaluation: RewriteEvaluation, out_dir: str | Path) -> ReportFiles:
    """Writes `evaluation.json` and `report.html` to a folder, which is made where there is none."""
    return write_report_files(out_dir, report_json(evaluation), report_html(evaluation))


def report_html(evaluation: RewriteEvaluation) -> str:
    """The evaluation as one HTML page that asks for no other file."""
    return page(
        "report.html",
        filters={"win_loss": win_loss, "win_loss_interval": win_loss_interval},
        evaluation=evaluation,
        headlines=[
            one
            for one in evaluation.predictors
            if (one.name == evaluation.main if evaluation.main is not None else not one.baseline)
        ],
        intervals=interval_plot(evaluation),
        tradeoff=tradeoff_plot(evaluation),
        tabled=TABLED_BREAKDOWNS,
        drawn={
            one.name: [plot for by in DRAWN_BREAKDOWNS if (plot := wins_losses_plot(one, by)) is not None]
            for one in evaluation.predictors
        },
    )


def win_loss(score: Score) -> str:
    """Wins for each loss: `8.8 : 1`, or `12 : 0` where nothing was lost, or `n/a` where nothing changed."""
    if score.losses:
        return f"{score.wins / score.losses:.1f} : 1"
    return f"{score.wins} : 0" if score.wins else "n/a"


def win_loss_interval(score: Score) -> str:
    """The interval of wins for each loss: `6.9 to 11.4`."""
    return interval_text(score.win_loss, 1)
