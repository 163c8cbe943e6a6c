"""`rehear evaluate labels`: files in, a report and tables out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.report_files import ReportFiles
from services.evaluation.labels.file import read_labels
from services.evaluation.labels.gold import GoldLabel, read_gold_labels
from services.evaluation.labels.report import TASK_WORDS, label_tables, write_label_report
from services.evaluation.labels.score import LabelScores, score_labels
from services.evaluation.labels.scored_task import TASKS
from services.platform.clock import now_ms
from streams.session import DEFAULT_GAP_MS
from streams.turn import TurnEvent
from streams.turn_file import read_turns


def run_label_evaluation(
    *,
    turns: Path,
    gold: Path,
    labels: Mapping[str, Path],
    out: Path,
    train_turns: Sequence[Path] = (),
    train_annotations: Sequence[Path] = (),
    gap_ms: int = DEFAULT_GAP_MS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> LabelScores:
    """Scores labels beside the baselines, writes the report and prints a table for each label.

    Args:
        turns: the test log.
        gold: of all or some of its turns.
        labels: of each system by its name, output of `rehear label` on the test log.
        out: folder of the report.
        train_turns: logs that were learned from; without them no baseline learns.
        train_annotations: gold of these, in any form that `gold` may have.
        gap_ms: as for `sessionize`.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling, and of the baselines that learn.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, or the files do not belong together.
        TurnFileError: a file cannot be read.
    """
    console = Console() if console is None else console
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        n_files = 2 + len(labels) + len(train_turns) + len(train_annotations)
        reading = progress.add_task("reading", total=n_files)
        log = list(read_turns(turns, now_ms))
        progress.advance(reading)
        true = read_gold_labels(gold)
        progress.advance(reading)
        said = {}
        for name, path in labels.items():
            said[name] = read_labels(path)
            progress.advance(reading)
        past: list[TurnEvent] = []
        for path in train_turns:
            past.extend(read_turns(path, now_ms))
            progress.advance(reading)
        annotated: list[GoldLabel] = []
        for path in train_annotations:
            annotated.extend(read_gold_labels(path))
            progress.advance(reading)
        scoring = progress.add_task("scoring", total=len(TASKS))
        scores = score_labels(
            log,
            true,
            said,
            train_turns=past,
            train_gold=annotated,
            gap_ms=gap_ms,
            resamples=resamples,
            seed=seed,
            on_scored=lambda _: progress.advance(scoring),
        )
        files = write_label_report(scores, out)
    print_label_scores(scores, files, console)
    return scores


def print_label_scores(scores: LabelScores, files: ReportFiles, console: Console) -> None:
    """Prints a table for each label, what could not be scored, and where the report is."""
    for table in label_tables(scores):
        console.print(table)
    for one in scores.not_scored:
        who = "" if one.system is None else f", {one.system}"
        words = f"not scored: {TASK_WORDS[one.task].title}{who}: {one.reason}"
        console.print(escape(words), soft_wrap=True, highlight=False)
    for note in scores.notes:
        console.print(escape(note), soft_wrap=True, highlight=False)
    console.print("Intervals are 95 %, over users.", highlight=False)
    console.print(f"report: {files.html} and {files.json}", soft_wrap=True)
