"""`rehear evaluate rewrites`: files in, a report and a table out."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.gold import read_gold
from services.evaluation.common.report_files import percent, percent_interval, with_interval
from services.evaluation.common.training_log import TrainingLog
from services.evaluation.common.understanding import load_understanding
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.prediction import Prediction, read_predictions
from services.evaluation.rewrites.report import win_loss, win_loss_interval, write_report
from services.evaluation.rewrites.score import RewriteEvaluation, evaluate_rewrites
from services.platform.clock import now_ms
from streams.turn import TurnEvent
from streams.turn_file import read_turns

NO_REWRITE = "no rewrite"
TEXT_CHAIN = "text chain"


def run_rewrite_evaluation(
    *,
    turns: Path,
    gold: Path,
    understanding: Path,
    rewrites: Path,
    out: Path,
    train: Sequence[Path] = (),
    name: str = "rehear",
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> RewriteEvaluation:
    """Scores a predictions file beside the baselines, writes the report and prints a table.

    Args:
        turns: the test log.
        gold: a line for each of its turns.
        understanding: the assistant's answers, or a program (`load_understanding`).
        rewrites: the output of `rehear rewrite` on the test log.
        out: folder of the report.
        train: the logs that the rewrites were learned from; without them there is no text chain to compare.
        name: of the predictor, in the report.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling.
        console: where progress and table go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, or the files do not belong together.
        TurnFileError: a file cannot be read.
    """
    console = Console() if console is None else console
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=4 + len(train))
        log = list(read_turns(turns, now_ms))
        progress.advance(reading)
        meant = list(read_gold(gold))
        progress.advance(reading)
        assistant = load_understanding(understanding)
        progress.advance(reading)
        predictions: dict[str, Iterable[Prediction]] = {name: list(read_predictions(rewrites))}
        progress.advance(reading)
        past: list[TurnEvent] = []
        if train:
            for path in train:
                past.extend(read_turns(path, now_ms))
                progress.advance(reading)
            predictions[TEXT_CHAIN] = learn_text_chain(past).predict(log)
        predictions[NO_REWRITE] = no_rewrite(log)
        scoring = progress.add_task("scoring", total=len(predictions))
        evaluation = evaluate_rewrites(
            log,
            meant,
            predictions,
            assistant,
            baselines=(TEXT_CHAIN, NO_REWRITE),
            groups=TrainingLog.of(past).groups if train else {},
            resamples=resamples,
            seed=seed,
            on_scored=lambda _: progress.advance(scoring),
        )
        files = write_report(evaluation, out)
    console.print(headline_table(evaluation))
    console.print(f"report: {files.html} and {files.json}", soft_wrap=True)
    return evaluation


def headline_table(evaluation: RewriteEvaluation) -> Table:
    """The predictors beside each other, with 95 % intervals."""
    table = Table(
        title=f"{evaluation.turns:,} requests of {evaluation.users:,} users, {evaluation.defects:,} defects",
        caption="with 95 % confidence intervals over users",
    )
    table.add_column("predictor")
    for column in ("defect reduction", "win : loss", "wins", "losses", "trigger rate", "precision"):
        table.add_column(column, justify="right")
    for one in evaluation.predictors:
        score = one.overall
        table.add_row(
            escape(one.name),
            with_interval(percent(score.defect_reduction), percent_interval(score.defect_reduction)),
            with_interval(win_loss(score), win_loss_interval(score)),
            f"{score.wins:,}",
            f"{score.losses:,}",
            with_interval(percent(score.trigger_rate), percent_interval(score.trigger_rate)),
            with_interval(percent(score.precision), percent_interval(score.precision)),
        )
    return table
