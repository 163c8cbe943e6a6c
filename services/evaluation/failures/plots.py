"""The pictures of reports on failures, as SVG: the same values give the same bytes."""

from collections.abc import Mapping, Sequence
from typing import Final

from failure_isolation.rule import FAILURE_POINTS
from labeling.annotations.annotation import FailurePoint
from services.evaluation.common.plots import (
    INK,
    add_legend,
    colours_of,
    draw_interval,
    drawing,
    label_of,
    strokes_of,
    svg_of,
)
from services.evaluation.failures.measures import COVERAGE
from services.evaluation.failures.score import FailureScores

FAILURE_COLOURS: Final[Mapping[FailurePoint, str]] = {
    "false_wake": "#b5762a",
    "asr": "#2a7f9e",
    "nlu": "#8f5fa8",
    "entity_resolution": "#3c8d5a",
    "result": "#d1495b",
    "correct": "#8a949e",
}

_BASELINE_MARKERS: Final = "sD^vX"  # all of one colour


def class_f1_plot(scores: FailureScores) -> bytes:
    """F1 of each class of the gold by each system, with intervals, in the order of the stages."""
    rows = len(scores.systems)
    with drawing(7.2, 1.2 + 0.2 * rows * len(scores.classes)) as (figure, axes):
        ticks, colours = [], colours_of(scores.systems)
        for place, point in enumerate(scores.classes):
            ticks.append(place * (rows + 1) + (rows - 1) / 2)
            for row, (one, colour) in enumerate(zip(scores.systems, colours, strict=True)):
                (found,) = (part.f1 for part in one.classes if part.failure_point == point)
                marker = _BASELINE_MARKERS[row % len(_BASELINE_MARKERS)] if one.baseline else "o"
                label = one.name if place == 0 else None
                draw_interval(
                    axes, found, place * (rows + 1) + row, colour, marker=marker, size=6, label=label
                )
        axes.set_yticks(ticks, [in_words(point) for point in scores.classes])
        axes.set_ylim(len(scores.classes) * (rows + 1) - 0.5, -1)
        axes.set_xlim(0, 101)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("F1, %, with 95 % interval (grey: baselines)")
        axes.set_title("Each class")
        if rows > 1:
            figure.legend(loc="outside lower center", ncols=3)
        return svg_of(figure)


def coverage_plot(scores: FailureScores) -> bytes | None:
    """Accuracy against the share that is answered, the surest first; None where none tells how sure it is."""
    drawn = [one for one in scores.systems if len(one.coverage) > 1]
    if not drawn:
        return None
    with drawing(7.2, 4.0) as (figure, axes):
        lowest = 1.0
        for one, (colour, line) in zip(drawn, strokes_of(drawn), strict=True):
            # Of a handful of turns, the accuracy says nothing.
            points = [point for point in one.coverage if point.coverage * scores.known_turns >= 20]
            points = points or list(one.coverage)
            lowest = min(lowest, *(point.accuracy for point in points))
            axes.plot(
                [100 * point.coverage for point in points],
                [100 * point.accuracy for point in points],
                color=colour,
                linestyle=line,
                linewidth=1.6,
                label=label_of(one),
            )
        axes.axvline(100 * COVERAGE, color=INK, linewidth=0.6, linestyle=":")
        axes.set_xlim(0, 101)
        axes.set_ylim(max(0, 100 * lowest - 3), 101)
        axes.grid(axis="both")
        axes.set_xlabel("share of the turns that is answered, the surest first, %")
        axes.set_ylabel("accuracy, %")
        axes.set_title("What abstaining would gain")
        add_legend(figure, axes, len(drawn))
        return svg_of(figure)


def days_plot(days: Sequence[str], shares: Mapping[FailurePoint, Sequence[float]]) -> bytes | None:
    """How failures go over the days; None where there are under two days, or no failures.

    Args:
        days: in order, each `YYYY-MM-DD`.
        shares: of all turns of a day, 0..1, by class; `correct` is not drawn.
    """
    drawn = [point for point in FAILURE_POINTS if point != "correct" and any(shares.get(point, ()))]
    if len(days) < 2 or not drawn:
        return None
    with drawing(9.6, 3.6) as (figure, axes):
        axes.stackplot(
            range(len(days)),
            *([100 * share for share in shares[point]] for point in drawn),
            colors=[FAILURE_COLOURS[point] for point in drawn],
            labels=[in_words(point) for point in drawn],
            alpha=0.85,
        )
        step = max(1, len(days) // 10)
        axes.set_xticks(range(0, len(days), step), [day[5:] for day in days[::step]])
        axes.set_xlim(0, len(days) - 1)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        axes.set_ylabel("share of the turns, %")
        axes.set_title("Failures by day")
        figure.legend(loc="outside right center", reverse=True)
        return svg_of(figure)


def in_words(failure_point: str) -> str:
    """A class as people say it."""
    return {"asr": "speech recognition", "nlu": "understanding"}.get(
        failure_point, failure_point.replace("_", " ")
    )
