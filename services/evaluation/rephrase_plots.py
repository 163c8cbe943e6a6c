"""The pictures of a report on rephrases, as SVG: the same evaluation gives the same bytes."""

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from services.evaluation.plots import (
    BASELINE_COLOUR,
    BASELINE_LINES,
    INK,
    MOST_IN_AXES,
    PREDICTOR_COLOURS,
    STYLE,
    svg_of,
)
from services.evaluation.rephrase_ranking import WANTED_PRECISION
from services.evaluation.rephrase_score import RephraseEvaluation, SystemScore

_MARKED_TURNS = 50  # a bin with fewer turns than this is drawn as smaller


def precision_recall_plot(evaluation: RephraseEvaluation) -> bytes | None:
    """Precision against recall as the score threshold falls; None where no system names any turn."""
    systems = [one for one in evaluation.systems if one.ranking.curve]
    if not systems:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        for one, (colour, line) in zip(systems, _strokes(systems), strict=True):
            curve = one.ranking.curve
            axes.plot(
                [100 * point.recall for point in curve],
                [100 * point.precision for point in curve],
                color=colour,
                linestyle=line,
                linewidth=1.6,
                label=_label(one),
                marker="o" if len(curve) == 1 else None,
            )
            score = one.overall
            if score.recall.value is not None and score.precision.value is not None:
                axes.plot(100 * score.recall.value, 100 * score.precision.value, "o", color=colour, ms=7)
        axes.axhline(100 * WANTED_PRECISION, color=INK, linewidth=0.6, linestyle=":")
        axes.set_xlim(0, 101)
        axes.set_ylim(0, 102)
        axes.grid(axis="both")
        axes.set_xlabel("recall, % of all rephrases")
        axes.set_ylabel("precision, %")
        axes.set_title("As the score threshold falls (dot: at the system's own)")
        _legend(figure, axes, len(systems))
        return svg_of(figure)


def reliability_plot(evaluation: RephraseEvaluation) -> bytes | None:
    """How often turns of a score are right, in tenths of scores; None where no system names any turn."""
    systems = [one for one in evaluation.systems if one.calibration]
    if not systems:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
        for one, (colour, line) in zip(systems, _strokes(systems), strict=True):
            scores = [100 * part.mean_score for part in one.calibration]
            shares = [100 * part.share_right for part in one.calibration]
            sizes = [30.0 if part.turns >= _MARKED_TURNS else 8.0 for part in one.calibration]
            axes.plot(scores, shares, color=colour, linestyle=line, linewidth=1.6, label=_label(one))
            axes.scatter(scores, shares, s=sizes, color=colour)
        axes.set_xlim(0, 101)
        axes.set_ylim(-2, 102)
        axes.grid(axis="both")
        axes.set_xlabel("mean score, %")
        axes.set_ylabel("the named turn is right, %")
        axes.set_title(f"Scores as probabilities (small: under {_MARKED_TURNS} turns)")
        _legend(figure, axes, len(systems))
        return svg_of(figure)


def _strokes(systems: list[SystemScore]) -> list[tuple[str, object]]:
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


def _label(system: SystemScore) -> str:
    return f"{system.name}{' (baseline)' if system.baseline else ''}"


def _legend(figure: Figure, axes: Axes, systems: int) -> None:
    if systems > MOST_IN_AXES:
        figure.set_figwidth(9.6)
        figure.legend(loc="outside right center")
    else:
        axes.legend(loc="best")
