"""Pictures of systems that give scores, as SVG: the same values give the same bytes."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from msgspec import Struct

from services.evaluation.common.plots import (
    BASELINE_COLOUR,
    BASELINE_LINES,
    INK,
    MOST_IN_AXES,
    PREDICTOR_COLOURS,
    STYLE,
    svg_of,
)

MARKED_ITEMS = 50  # a bin with fewer than this is drawn as smaller


class DrawnSystem(Struct, frozen=True, kw_only=True):
    """One system in a picture; shares are from 0 to 1."""

    name: str
    baseline: bool
    recalls: Sequence[float] = ()  # as the score threshold falls
    precisions: Sequence[float] = ()
    recall: float | None = None  # at the system's own threshold
    precision: float | None = None
    scores: Sequence[float] = ()  # the mean of each bin of scores
    shares: Sequence[float] = ()  # of what is true in it
    sizes: Sequence[int] = ()  # its items


def precision_recall_picture(
    systems: Sequence[DrawnSystem], *, recall_of: str, wanted_precision: float | None = None
) -> bytes | None:
    """Precision against recall as the score threshold falls; None where no system has a curve.

    Args:
        systems: those without a curve are drawn as a dot, at their own threshold.
        recall_of: what is to be found, for the axis.
        wanted_precision: a line is drawn there.
    """
    if not any(one.recalls for one in systems):
        return None
    drawn = [one for one in systems if one.recalls or one.recall is not None]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        for one, (colour, line) in zip(drawn, strokes_of(drawn), strict=True):
            axes.plot(
                [100 * recall for recall in one.recalls],
                [100 * precision for precision in one.precisions],
                color=colour,
                linestyle=line,
                linewidth=1.6,
                label=_label(one),
                marker="o" if len(one.recalls) < 2 else None,
            )
            if one.recall is not None and one.precision is not None:
                axes.plot(100 * one.recall, 100 * one.precision, "o", color=colour, ms=7)
        if wanted_precision is not None:
            axes.axhline(100 * wanted_precision, color=INK, linewidth=0.6, linestyle=":")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 102)
        axes.grid(axis="both")
        axes.set_xlabel(f"recall, % of all {recall_of}")
        axes.set_ylabel("precision, %")
        axes.set_title("As the score threshold falls (dot: at the system's own)")
        _legend(figure, axes, len(drawn))
        return svg_of(figure)


def reliability_picture(systems: Sequence[DrawnSystem], *, true: str, items: str) -> bytes | None:
    """How often what has a score is true, in tenths of scores; None where no system has a score.

    Args:
        systems: those without scores are not drawn.
        true: what is true, for the axis.
        items: what has a score, for the title.
    """
    drawn = [one for one in systems if one.scores]
    if not drawn:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
        for one, (colour, line) in zip(drawn, strokes_of(drawn), strict=True):
            scores = [100 * score for score in one.scores]
            shares = [100 * share for share in one.shares]
            sizes = [30.0 if size >= MARKED_ITEMS else 8.0 for size in one.sizes]
            axes.plot(scores, shares, color=colour, linestyle=line, linewidth=1.6, label=_label(one))
            axes.scatter(scores, shares, s=sizes, color=colour)
        axes.set_xlim(0, 101)
        axes.set_ylim(-2, 102)
        axes.grid(axis="both")
        axes.set_xlabel("mean score, %")
        axes.set_ylabel(f"{true}, %")
        axes.set_title(f"Scores as probabilities (small: under {MARKED_ITEMS} {items})")
        _legend(figure, axes, len(drawn))
        return svg_of(figure)


def strokes_of(systems: Sequence[DrawnSystem]) -> list[tuple[str, object]]:
    """Colour and kind of line of each: colours for systems, kinds of lines for baselines."""
    strokes: list[tuple[str, object]] = []
    ours = baselines = 0
    for one in systems:
        if one.baseline:
            strokes.append((BASELINE_COLOUR, BASELINE_LINES[baselines % len(BASELINE_LINES)]))
            baselines += 1
        else:
            strokes.append((PREDICTOR_COLOURS[ours % len(PREDICTOR_COLOURS)], "-"))
            ours += 1
    return strokes


def _label(system: DrawnSystem) -> str:
    return f"{system.name}{' (baseline)' if system.baseline else ''}"


def _legend(figure: Figure, axes: Axes, systems: int) -> None:
    if systems > MOST_IN_AXES:
        figure.set_figwidth(9.6)
        figure.legend(loc="outside right center")
    else:
        axes.legend(loc="best")
