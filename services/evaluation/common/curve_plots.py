"""Pictures of systems that give scores, as SVG: the same values give the same bytes."""

from collections.abc import Sequence

from msgspec import Struct

from services.evaluation.common.plots import INK, add_legend, drawing, label_of, strokes_of, svg_of
from services.evaluation.common.score_thresholds import CurvePoint, ReliabilityBin

MARKED_ITEMS = 50  # a bin with fewer than this is drawn as smaller


class DrawnSystem(Struct, frozen=True, kw_only=True):
    """One system in a picture; shares are from 0 to 1."""

    name: str
    baseline: bool
    curve: Sequence[CurvePoint] = ()  # as the score threshold falls
    recall: float | None = None  # at the system's own threshold
    precision: float | None = None
    reliability: Sequence[ReliabilityBin] = ()  # of its scores


def precision_recall_picture(
    systems: Sequence[DrawnSystem], *, recall_of: str, wanted_precision: float | None = None
) -> bytes | None:
    """Precision against recall as the score threshold falls; None where no system has a curve.

    Args:
        systems: those without a curve are drawn as a dot, at their own threshold.
        recall_of: what is to be found, for the axis.
        wanted_precision: a line is drawn there.
    """
    if not any(one.curve for one in systems):
        return None
    drawn = [one for one in systems if one.curve or one.recall is not None]
    with drawing(7.2, 4.0) as (figure, axes):
        for one, (colour, line) in zip(drawn, strokes_of(drawn), strict=True):
            axes.plot(
                [100 * point.recall for point in one.curve],
                [100 * point.precision for point in one.curve],
                color=colour,
                linestyle=line,
                linewidth=1.6,
                label=label_of(one),
                marker="o" if len(one.curve) < 2 else None,
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
        add_legend(figure, axes, len(drawn))
        return svg_of(figure)


def reliability_picture(systems: Sequence[DrawnSystem], *, true: str, items: str) -> bytes | None:
    """How often what has a score is true, in tenths of scores; None where no system has a score.

    Args:
        systems: those without scores are not drawn.
        true: what is true, for the axis.
        items: what has a score, for the title.
    """
    drawn = [one for one in systems if one.reliability]
    if not drawn:
        return None
    with drawing(7.2, 4.0) as (figure, axes):
        axes.plot([0, 100], [0, 100], color=INK, linewidth=0.8)
        for one, (colour, line) in zip(drawn, strokes_of(drawn), strict=True):
            scores = [100 * part.mean_score for part in one.reliability]
            shares = [100 * part.share_true for part in one.reliability]
            sizes = [30.0 if part.items >= MARKED_ITEMS else 8.0 for part in one.reliability]
            axes.plot(scores, shares, color=colour, linestyle=line, linewidth=1.6, label=label_of(one))
            axes.scatter(scores, shares, s=sizes, color=colour)
        axes.set_xlim(0, 101)
        axes.set_ylim(-2, 102)
        axes.grid(axis="both")
        axes.set_xlabel("mean score, %")
        axes.set_ylabel(f"{true}, %")
        axes.set_title(f"Scores as probabilities (small: under {MARKED_ITEMS} {items})")
        add_legend(figure, axes, len(drawn))
        return svg_of(figure)
