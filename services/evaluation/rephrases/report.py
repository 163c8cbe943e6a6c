"""The report on rephrases: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from collections.abc import Mapping

from rich.table import Table

from services.evaluation.common.dialogue_example import seconds_in_words
from services.evaluation.common.report_files import Report, page, systems_table
from services.evaluation.rephrases.examples import KINDS, Kind
from services.evaluation.rephrases.groups import GROUPINGS
from services.evaluation.rephrases.plots import precision_recall_plot, reliability_plot
from services.evaluation.rephrases.score import RephraseScores

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
        html=_page(evaluation),
        tables=[_table(evaluation)],
        remarks=evaluation.notes,
    )


def _page(evaluation: RephraseScores) -> str:
    return page(
        "rephrase_report.html",
        evaluation=evaluation,
        headlines=[one for one in evaluation.systems if not one.baseline][:1],
        breakdowns=GROUPINGS,
        kinds=KINDS,
        titles=_TITLES,
        time=seconds_in_words,
        precision_recall=precision_recall_plot(evaluation),
        reliability=reliability_plot(evaluation),
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
