"""How the pictures of all reports look, as SVG: the same values give the same bytes."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import matplotlib
from matplotlib.axes import Axes
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


class NamedSystem(Protocol):
    """What is drawn beside others."""

    @property
    def name(self) -> str:
        """Of the system."""
        ...

    @property
    def baseline(self) -> bool:
        """Whether it is one."""
        ...


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A picture of this size in inches, in the style of all reports as long as it is being drawn."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()


def strokes_of(systems: Sequence[NamedSystem]) -> list[tuple[str, object]]:
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


def colours_of(systems: Sequence[NamedSystem]) -> list[str]:
    """The colour of each."""
    return [colour for colour, _ in strokes_of(systems)]


def label_of(system: NamedSystem) -> str:
    """How it is called in a legend."""
    return f"{system.name}{' (baseline)' if system.baseline else ''}"


def add_legend(figure: Figure, axes: Axes, systems: int) -> None:
    """Adds a legend of so many systems, beside the axes where it has no room in them."""
    if systems > MOST_IN_AXES:
        figure.set_figwidth(9.6)
        figure.legend(loc="outside right center")
    else:
        axes.legend(loc="best")


def draw_interval(
    axes: Axes,
    share: Estimate,
    row: float,
    colour: str,
    *,
    marker: str = "o",
    size: float = 7,
    label: str | None = None,
) -> None:
    """Draws a share in percent with its interval; nothing where it has none."""
    if share.value is None or share.low is None or share.high is None:
        return
    axes.plot([100 * share.low, 100 * share.high], [row, row], color=colour, linewidth=3, alpha=0.45)
    axes.plot(100 * share.value, row, marker, color=colour, markersize=size, label=label)


def interval_picture(rows: Sequence[tuple[str, str, Estimate]], measure: str) -> bytes:
    """A share of each system, with its confidence interval.

    Args:
        rows: name, colour and share of each.
        measure: what is drawn, for the axis.
    """
    with drawing(7.2, 0.9 + 0.45 * len(rows)) as (figure, axes):
        for row, (_, colour, share) in enumerate(rows):
            draw_interval(axes, share, row, colour)
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
