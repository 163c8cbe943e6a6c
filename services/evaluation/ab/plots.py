"""The pictures of a report on an A/B test, as SVG: the same scores give the same bytes."""

from typing import Final

import numpy as np

from services.evaluation.ab.sample_size import ANY_TIME, ONE_LOOK, users_needed
from services.evaluation.ab.score import AbScores, ArmDifference, Planning
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.plots import INK, PREDICTOR_COLOURS, drawing, svg_of

MOST_DAY_LABELS: Final = 10
"""Of an axis 7 inches wide: dates that do not touch."""


def looks_plot(difference: ArmDifference, control: str) -> bytes | None:
    """The running difference with its always-valid band and the interval of a single look; None: no look."""
    looks = difference.looks
    if not looks:
        return None
    days = np.arange(len(looks))
    colour = PREDICTOR_COLOURS[0]
    with drawing(7.2, 3.6) as (figure, axes):
        for name, ends, fill in (
            ("always valid", [look.always_valid for look in looks], 0.2),
            ("of a single look", [look.difference for look in looks], 0.35),
        ):
            low, high = _ends(ends)
            axes.fill_between(days, low, high, color=colour, alpha=fill, linewidth=0, label=name)
        axes.plot(days, [100 * (look.difference.value or 0) for look in looks], color=colour, linewidth=1.6)
        axes.axhline(0, color=INK, linewidth=0.8)
        if len(looks) == 1:
            axes.set_xlim(-0.5, 0.5)
            low, high = _ends([looks[0].always_valid])
            axes.vlines(days, low, high, color=colour, linewidth=3, alpha=0.45)
            axes.plot(days, [100 * (looks[0].difference.value or 0)], "o", color=colour)
        step = -(-len(looks) // MOST_DAY_LABELS)
        axes.set_xticks(days[::step], [look.day[5:] for look in looks[::step]])
        axes.grid(axis="y")
        axes.set_xlabel("by the end of the day (UTC)")
        axes.set_ylabel("defect rate, points")
        axes.set_title(f"{difference.arm} less {control}")
        axes.legend(loc="best")
        return svg_of(figure)


def users_plot(scores: AbScores, planning: Planning) -> bytes:
    """How many users show an effect, against its size."""
    base = planning.effect / scores.settings.effect
    shares = np.geomspace(0.01, 0.5, 25)
    first = planning.plans[0]
    ways = [("one look at the end", planning.user_variance, ONE_LOOK, "-")]
    if planning.adjusted_variance is not None:
        ways.append(("one look, with the days before", planning.adjusted_variance, ONE_LOOK, "--"))
    ways.append(("looks at any time", planning.least_variance, ANY_TIME, ":"))
    with drawing(7.2, 3.6) as (figure, axes):
        for (name, variance, errors, line), colour in zip(ways, PREDICTOR_COLOURS, strict=False):
            users = [users_needed(variance, first.control_share, share * base, errors) for share in shares]
            axes.plot(100 * shares, users, color=colour, linestyle=line, linewidth=1.6, label=name)
        axes.axhline(sum(one.users for one in scores.arms), color=INK, linewidth=0.8)
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = [1, 2, 5, 10, 20, 50]
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.grid(axis="both")
        axes.set_xlabel("effect, % of control's defect rate")
        axes.set_ylabel("users of both arms (line: this log)")
        axes.set_title(f"Users that a test needs, {100 * first.control_share:.0f} % of them in control")
        axes.legend(loc="best")
        return svg_of(figure)


def _ends(intervals: list[Estimate]) -> tuple[list[float], list[float]]:
    """Both ends in points; each look has them."""
    return [100 * (one.low or 0) for one in intervals], [100 * (one.high or 0) for one in intervals]
