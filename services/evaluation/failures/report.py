"""The report on failure points: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from collections.abc import Mapping
from typing import Final

from rich.markup import escape
from rich.table import Table

from failure_isolation.rule import FAILURE_POINTS
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.curve_plots import DrawnSystem, reliability_picture
from services.evaluation.common.dialogue_example import seconds_in_words
from services.evaluation.common.plots import colours_of, interval_picture
from services.evaluation.common.report_files import Report, page, share_cell, systems_table
from services.evaluation.failures.measures import COVERAGE
from services.evaluation.failures.plots import class_f1_plot, coverage_plot, in_words
from services.evaluation.failures.score import FailureScores, SystemScore

MEASURES: Final[Mapping[str, tuple[str, str]]] = {
    "macro_f1": ("macro F1", "The mean F1 of the classes that occur in the gold."),
    "accuracy": ("accuracy", "Turns that are named rightly, of all that are scored."),
    "covered_accuracy": (
        f"accuracy at {COVERAGE:.0%} coverage".replace("%", " %"),
        "The same of the turns of which a system is surest, this share of all, and of those of which it is "
        "as sure.",
    ),
    "sure_accuracy": ("accuracy where sure", "The same of the turns for which a system does not abstain."),
    "sure_share": ("share sure", "The turns for which it does not abstain."),
    "calibration_error": (
        "calibration error",
        "How far confidences are from the share that is right, in tenths of confidences; 0 is best.",
    ),
}
"""Title and meaning of each share, in the order of the columns."""

DISTANCE: Final = "error_distance"

_TABLED: Final = (
    "macro_f1",
    "accuracy",
    "covered_accuracy",
    "calibration_error",
)  # a terminal has no more room


def failure_report(scores: FailureScores) -> Report:
    """The scores as a page and as tables: the systems, and the F1 of each class."""
    systems = scores.systems
    macro_f1 = [
        (one.name, colour, one.measures["macro_f1"])
        for one, colour in zip(systems, colours_of(systems), strict=True)
    ]
    confident = [
        DrawnSystem(name=one.name, baseline=one.baseline, reliability=one.reliability) for one in systems
    ]
    pictures: list[tuple[str, bytes | None]] = [
        ("Macro F1 of each system", interval_picture(macro_f1, "macro F1, %")),
        ("F1 of each class", class_f1_plot(scores)),
        ("Accuracy against the share that is answered", coverage_plot(scores)),
        (
            "How often turns of a confidence are right",
            reliability_picture(confident, true="share that is right", items="turns"),
        ),
    ]
    derived = ["The gold is derived: a rule made it from other annotations."] if scores.derived else []
    return Report(
        evaluation=scores,
        html=page(
            "failure_report.html",
            scores=scores,
            measures=MEASURES,
            distances={one.name: distance(one) for one in scores.systems},
            points=FAILURE_POINTS,
            in_words=in_words,
            tint=_tint,
            time=seconds_in_words,
            pictures=[(name, picture) for name, picture in pictures if picture is not None],
        ),
        tables=[
            systems_table(
                f"{scores.known_turns:,} turns of {scores.users:,} users, "
                f"{len(scores.classes)} classes{' (derived)' if scores.derived else ''}",
                [MEASURES[name][0] for name in _TABLED],
                [(one.name, [one.measures[name] for name in _TABLED]) for one in systems],
                resampled=scores.cluster,
            ),
            _class_table(scores),
        ],
        remarks=[*derived, *scores.notes],
    )


def _class_table(scores: FailureScores) -> Table:
    """A row for each class of the gold, a column for each system."""
    table = Table(title="F1 of each class")
    table.add_column("class")
    for name in ("turns", *(escape(one.name) for one in scores.systems)):
        table.add_column(name, justify="right")
    for number, point in enumerate(FAILURE_POINTS):
        if point in scores.classes:
            of_class = [one.classes[number] for one in scores.systems]
            table.add_row(point, f"{of_class[0].support:,}", *(share_cell(one.f1) for one in of_class))
    return table


def distance(system: SystemScore) -> str:
    """How far errors lie from what is true: `1.8 stages`, or nothing where there are no errors."""
    away: Estimate = system.measures[DISTANCE]
    return "" if away.value is None else f"{away.value:.1f} stages"


def _tint(cell: int, row: tuple[int, ...]) -> str:
    """The background of a cell: the darker, the larger its share of its row."""
    share = cell / sum(row) if sum(row) else 0.0
    return f"background: rgba(42, 127, 158, {0.75 * share:.2f})"
