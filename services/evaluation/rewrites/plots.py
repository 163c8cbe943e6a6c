"""The pictures of a report on rewrites, as SVG: the same evaluation gives the same bytes."""

from matplotlib.axes import Axes

from services.evaluation.common.plots import (
    INK,
    add_legend,
    colours_of,
    drawing,
    label_of,
    strokes_of,
    svg_of,
)
from services.evaluation.rewrites.score import PredictorEvaluation, RewriteScores, Score

WIN = "#2a7f9e"
LOSS = "#d1495b"

RATIO_LIMIT = 60.0
"""Win/loss ratios are drawn up to here: beyond, and without any loss, they rest on a handful of losses."""

WORST_REDUCTION = -30.0
"""Percent; a curve that goes further down would press the others into a corner."""


def tradeoff_plot(evaluation: RewriteScores) -> bytes | None:
    """Defect reduction against win/loss as the score threshold falls; None where nothing was rewritten."""
    predictors = [one for one in evaluation.predictors if one.curve]
    if not predictors:
        return None
    with drawing(7.2, 4.0) as (figure, axes):
        names = [one.name for one in evaluation.predictors]
        colours = dict(zip(names, colours_of(evaluation.predictors), strict=True))
        ceiling = 12.0
        for one, (_, line) in zip(predictors, strokes_of(predictors), strict=True):
            ratios = [_ratio(point.wins, point.losses) for point in one.curve]
            reductions = [100 * point.defect_reduction for point in one.curve]
            ceiling = max(ceiling, *ratios)
            axes.plot(
                reductions,
                ratios,
                color=colours[one.name],
                linestyle=line,
                linewidth=1.6,
                label=label_of(one),
            )
            axes.plot(reductions[-1], ratios[-1], "o", color=colours[one.name], markersize=7)
        axes.axhline(1, color=LOSS, linewidth=0.9)
        axes.annotate(
            "as many losses as wins",
            (1, 1),
            (-4, 4),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
            color=LOSS,
            fontsize=8.5,
        )
        axes.set_yscale("log")
        lowest = min(_ratio(point.wins, point.losses) for one in predictors for point in one.curve)
        bottom, top = min(0.7, 0.8 * lowest), ceiling * 1.25
        axes.set_ylim(bottom, top)
        left, _ = axes.get_xlim()
        axes.set_xlim(left=max(left, WORST_REDUCTION))
        ticks = [tick for tick in (0.1, 0.3, 1, 3, 10, 30, 60) if bottom <= tick <= top]
        axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="both")
        axes.set_xlabel("defect reduction, % of all defects")
        axes.set_ylabel(f"wins for each loss (cut at {RATIO_LIMIT:g})")
        axes.set_title("As the score threshold falls (dot: no threshold)")
        add_legend(figure, axes, len(predictors))
        return svg_of(figure)


def wins_losses_plot(predictor: PredictorEvaluation, by: str) -> bytes | None:
    """Wins to one side and losses to the other for each group of a breakdown; None where it has under two."""
    groups = [one for one in predictor.breakdowns if one.by == by]
    if len(groups) < 2:
        return None
    with drawing(7.2, 1.0 + 0.27 * len(groups)) as (figure, axes):
        rows = range(len(groups))
        scores = [group.score for group in groups]
        axes.barh(rows, [score.wins for score in scores], color=WIN, height=0.72, label="wins")
        axes.barh(rows, [-score.losses for score in scores], color=LOSS, height=0.72, label="losses")
        for row, score in zip(rows, scores, strict=True):
            _number_bars(axes, row, score)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(rows, [group.group for group in groups])
        axes.set_ylim(len(groups) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.spines["left"].set_visible(False)
        axes.margins(x=0.12)
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, reverse=True)
        axes.set_title(f"By {by}")
        return svg_of(figure)


def _number_bars(axes: Axes, row: int, score: Score) -> None:
    for width, count, alignment, shift in (
        (score.wins, score.wins, "left", 4),
        (-score.losses, score.losses, "right", -4),
    ):
        if count:
            axes.annotate(
                str(count),
                (width, row),
                (shift, 0),
                textcoords="offset points",
                ha=alignment,
                va="center_baseline",
                fontsize=8.5,
            )


def _ratio(wins: int, losses: int) -> float:
    """Wins for each loss, cut to what is drawn."""
    if not losses:
        return RATIO_LIMIT if wins else 1.0
    return min(max(wins / losses, 1 / RATIO_LIMIT), RATIO_LIMIT)
