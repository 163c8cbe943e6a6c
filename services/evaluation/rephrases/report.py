"""The report on rephrases: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from collections.abc import Mapping
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from services.evaluation.common.dialogue_example import seconds_in_words
from services.evaluation.common.report_files import (
    ReportFiles,
    page,
    percent,
    percent_interval,
    report_json,
    with_interval,
    write_report_files,
)
from services.evaluation.rephrases.examples import KINDS, Kind
from services.evaluation.rephrases.groups import GROUPINGS
from services.evaluation.rephrases.plots import precision_recall_plot, reliability_plot
from services.evaluation.rephrases.score import RephraseEvaluation

_TITLES: Mapping[Kind, str] = {
    "found": "Found",
    "missed": "Missed",
    "false": "False: says no earlier turn again",
    "wrong source": "Wrong source: says another turn again than the named one",
}


def write_rephrase_report(evaluation: RephraseEvaluation, out_dir: str | Path) -> ReportFiles:
    """Writes `evaluation.json` and `report.html` to a folder, which is made where there is none."""
    return write_report_files(out_dir, report_json(evaluation), rephrase_report_html(evaluation))


def rephrase_report_html(evaluation: RephraseEvaluation) -> str:
    """The evaluation as one HTML page that asks for no other file."""
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


def rephrase_table(evaluation: RephraseEvaluation) -> Table:
    """The systems beside each other, with 95 % intervals."""
    table = Table(
        title=f"{evaluation.turns:,} requests of {evaluation.users:,} users, "
        f"{evaluation.rephrases:,} rephrases{' (derived)' if evaluation.derived else ''}",
        caption="with 95 % confidence intervals over users",
    )
    table.add_column("system")
    for column in ("precision", "recall", "F1", "F1 as runs", "PR-AUC", "recall at P 0.9"):
        table.add_column(column, justify="right")
    for one in evaluation.systems:
        measures = (
            one.overall.precision,
            one.overall.recall,
            one.overall.f1,
            one.as_runs.f1,
            one.ranking.average_precision,
            one.ranking.recall_at_precision,
        )
        table.add_row(
            escape(one.name),
            *(with_interval(percent(measure), percent_interval(measure)) for measure in measures),
        )
    return table
