"""How the pictures of all reports look, as SVG: the same values give the same bytes."""

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from services.evaluation.common.confidence_interval import Estimate

INK = "#1f2933"
FAINT = "#d5dbe1"
PREDICTOR_COLOURS = (
    "#2a7f9e", "#8f5fa8", "#3c8d5a", "#b5762a", "#c2577e", "#4f5fb5", "#7d7f24", "#38a3a5",
)  # fmt: skip
BASELINE_COLOUR = "#8a949e"
BASELINE_LINES = ("--", ":", "-.", (0, (1, 3)))  # all of one colour

STYLE: Any = {  # Any: matplotlib wants a literal of each key's name
    "svg.hashsalt": "rehear",  # ids in the SVG would be random otherwise
    "font.size": 10,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "legend.frameon": False,
}

MOST_IN_AXES = 5
"""Predictors whose legend has room among the curves; of more, it stands beside them."""


def interval_picture(rows: Sequence[tuple[str, str, Estimate]], measure: str) -> bytes:
    """A share of each system, with its confidence interval.

    Args:
        rows: name, colour and share of each.
        measure: what is drawn, for the axis.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 0.9 + 0.45 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for row, (_, colour, share) in enumerate(rows):
            if share.value is None or share.low is None or share.high is None:
                continue
            axes.plot([100 * share.low, 100 * share.high], [row, row], color=colour, linewidth=3, alpha=0.45)
            axes.plot(100 * share.value, row, "o", color=colour, markersize=7)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_yticks(range(len(rows)), [name for name, _, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel(f"{measure}, with 95 % interval")
        return svg_of(figure)


def svg_of(figure: Figure) -> bytes:
    """A figure as SVG; the same figure gives the same bytes."""
    stream = io.BytesIO()
    # The clock and the version of matplotlib stay out of the file.
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()
