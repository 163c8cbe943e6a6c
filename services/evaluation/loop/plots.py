"""The pictures of a report on a closed loop, as SVG: the same scores give the same bytes."""

from collections.abc import Callable, Sequence

from services.evaluation.common.plots import INK, PREDICTOR_COLOURS, add_legend, drawing, svg_of
from services.evaluation.loop.score import DayScore, LoopScores

_EVENT_LINE = (0, (2, 3))


def defects_plot(scores: LoopScores) -> bytes:
    """Defects of the treated turns by day, as they were run and as they were said."""
    return _curves(
        scores,
        "defects, % of treated turns",
        (
            ("", "-", lambda day: _percent(day.defects, day.turns)),
            (", as said", ":", lambda day: _percent(day.defects_as_said, day.turns)),
        ),
    )


def wins_plot(scores: LoopScores) -> bytes:
    """Wins and losses by day."""
    return _curves(
        scores,
        "requests",
        ((" wins", "-", lambda day: float(day.wins)), (" losses", ":", lambda day: float(day.losses))),
    )


def rows_plot(scores: LoopScores) -> bytes:
    """Live rows by day."""
    return _curves(scores, "live rows", (("", "-", lambda day: float(day.live)),))


def changes_plot(scores: LoopScores) -> bytes:
    """Rows that went or changed their target, by day."""
    return _curves(
        scores,
        "rows that went or changed their target",
        (("", "-", lambda day: float(day.vanished + day.retargeted)),),
    )


def _curves(
    scores: LoopScores,
    measure: str,
    lines: Sequence[tuple[str, str, Callable[[DayScore], float]]],
) -> bytes:
    """Curves of each learner by day, with a line where the world changes."""
    with drawing(7.2, 3.2) as (figure, axes):
        for learner, colour in zip(scores.settings.learners, PREDICTOR_COLOURS, strict=False):
            days = [day for day in scores.days if day.learner == learner and day.arm == "treatment"]
            for name, line, value in lines:
                axes.plot(
                    [day.day for day in days],
                    [value(day) for day in days],
                    color=colour,
                    linestyle=line,
                    linewidth=1.6,
                    label=f"{learner}{name}",
                )
        world = scores.settings.world
        parts = (world.switched, world.renamed, world.withdrawn, world.released, world.planted)
        for day in sorted({part.day for part in parts if part.day < scores.settings.days}):
            axes.axvline(day, color=INK, linewidth=0.7, linestyle=_EVENT_LINE)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y")
        axes.set_xlabel("day")
        axes.set_ylabel(measure)
        add_legend(figure, axes, len(lines) * len(scores.settings.learners))
        return svg_of(figure)


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else 0.0
