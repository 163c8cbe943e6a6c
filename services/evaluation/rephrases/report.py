"""The report on rephrases: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from collections.abc import Mapping

from rich.table import Table

from services.evaluation.common.curve_plots import DrawnSystem, precision_recall_picture, reliability_picture
from services.evaluation.common.dialogue_example import seconds_in_words
from services.evaluation.common.report_files import Report, page, systems_table
from services.evaluation.common.score_thresholds import ReliabilityBin
from services.evaluation.rephrases.examples import KINDS, Kind
from services.evaluation.rephrases.groups import GROUPINGS
from services.evaluation.rephrases.ranking import WANTED_PRECISION
from services.evaluation.rephrases.score import RephraseScores, SystemScore

_TITLES: Mapping[Kind, str] = {
    "found": "Found",
    "missed": "Missed",
    "false": "False: says no earlier turn again",
    "wrong source": "Wrong source: says another turn again than the named one",
}


def rephrase_report(evaluation: RephraseScores) -> Report:
    """The evaluation as a page and as a table."""
    return Report(
        evaluation=evaluation,
        html=page(
            "rephrase_report.html",
            evaluation=evaluation,
            headlines=[one for one in evaluation.systems if not one.baseline][:1],
            breakdowns=GROUPINGS,
            kinds=KINDS,
            titles=_TITLES,
            time=seconds_in_words,
            precision_recall=precision_recall_picture(
                [_drawn(one) for one in evaluation.systems if one.ranking.curve],
                recall_of="rephrases",
                wanted_precision=WANTED_PRECISION,
            ),
            reliability=reliability_picture(
                [_drawn(one) for one in evaluation.systems], true="the named turn is right", items="turns"
            ),
        ),
        tables=[_table(evaluation)],
        remarks=evaluation.notes,
    )


def _drawn(system: SystemScore) -> DrawnSystem:
    return DrawnSystem(
        name=system.name,
        baseline=system.baseline,
        curve=system.ranking.curve,
        recall=system.overall.recall.value,
        precision=system.overall.precision.value,
        reliability=[
            ReliabilityBin(part.turns, part.mean_score, part.share_right) for part in system.calibration
        ],
    )


def _table(evaluation: RephraseScores) -> Table:
    rows = [
        (
            one.name,
            (
                one.overall.precision,
                one.overall.recall,
                one.overall.f1,
                one.as_runs.f1,
                one.ranking.average_precision,
                one.ranking.recall_at_precision,
            ),
        )
        for one in evaluation.systems
    ]
    return systems_table(
        f"{evaluation.turns:,} requests of {evaluation.users:,} users, "
        f"{evaluation.rephrases:,} rephrases{' (derived)' if evaluation.derived else ''}",
        ("precision", "recall", "F1", "F1 as runs", "PR-AUC", "recall at P 0.9"),
        rows,
        resampled="users",
    )
