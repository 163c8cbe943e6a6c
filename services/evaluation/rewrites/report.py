"""The report of an evaluation: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from rich.markup import escape
from rich.table import Table

from services.evaluation.common.plots import colours_of, interval_picture
from services.evaluation.common.report_files import Report, interval_text, page, share_cell, with_interval
from services.evaluation.common.training_log import TEXT_SEEN, USER_SEEN
from services.evaluation.rewrites.plots import tradeoff_plot, wins_losses_plot
from services.evaluation.rewrites.score import RewriteScores, Score

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


def rewrite_report(evaluation: RewriteScores, *tables: Table) -> Report:
    """The evaluation as a page, and as a table of the predictors with any others beneath it."""
    predictors = evaluation.predictors
    return Report(
        evaluation=evaluation,
        html=page(
            "report.html",
            filters={"win_loss": win_loss, "win_loss_interval": win_loss_interval},
            evaluation=evaluation,
            headlines=[
                one
                for one in evaluation.predictors
                if (one.name == evaluation.main if evaluation.main is not None else not one.baseline)
            ],
            intervals=interval_picture(
                [
                    (one.name, colour, one.overall.defect_reduction)
                    for one, colour in zip(predictors, colours_of(predictors), strict=True)
                ],
                "defect reduction, % of all defects",
            ),
            tradeoff=tradeoff_plot(evaluation),
            tabled=TABLED_BREAKDOWNS,
            drawn={
                one.name: [plot for by in DRAWN_BREAKDOWNS if (plot := wins_losses_plot(one, by)) is not None]
                for one in evaluation.predictors
            },
        ),
        tables=[_headlines(evaluation), *tables],
        remarks=evaluation.notes,
    )


def win_loss(score: Score) -> str:
    """Wins for each loss: `8.8 : 1`, or `12 : 0` where nothing was lost, or `n/a` where nothing changed."""
    if score.losses:
        return f"{score.wins / score.losses:.1f} : 1"
    return f"{score.wins} : 0" if score.wins else "n/a"


def win_loss_interval(score: Score) -> str:
    """The interval of wins for each loss: `6.9 to 11.4`."""
    return interval_text(score.win_loss, 1)


def win_loss_cell(score: Score) -> str:
    """A cell of a table: wins for each loss, and below it the interval."""
    return with_interval(win_loss(score), win_loss_interval(score))


def _headlines(evaluation: RewriteScores) -> Table:
    table = Table(
        title=f"{evaluation.turns:,} requests of {evaluation.users:,} users, {evaluation.defects:,} defects",
        caption="with 95 % confidence intervals over users",
    )
    table.add_column("predictor")
    for column in ("defect reduction", "win : loss", "wins", "losses", "trigger rate", "precision"):
        table.add_column(column, justify="right")
    for one in evaluation.predictors:
        score = one.overall
        table.add_row(
            escape(one.name),
            share_cell(score.defect_reduction),
            win_loss_cell(score),
            f"{score.wins:,}",
            f"{score.losses:,}",
            share_cell(score.trigger_rate),
            share_cell(score.precision),
        )
    return table
