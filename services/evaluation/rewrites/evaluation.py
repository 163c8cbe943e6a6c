"""`rehear evaluate rewrites`: files in, a report and a table out."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.evaluation_run import FileReader, progress_bars
from services.evaluation.common.gold import read_gold
from services.evaluation.common.training_log import TrainingLog
from services.evaluation.common.understanding import load_understanding
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.prediction import Prediction, read_predictions
from services.evaluation.rewrites.report import rewrite_report
from services.evaluation.rewrites.score import RewriteEvaluation, evaluate_rewrites

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
    console = console or Console()
    with progress_bars(console) as progress:
        reader = FileReader(progress, 3 + len(train))
        log = reader.turns(turns)
        meant = reader.read(read_gold, gold)
        assistant = load_understanding(understanding)
        predictions: dict[str, Iterable[Prediction]] = {name: reader.read(read_predictions, rewrites)}
        past = reader.turns(*train)
        if train:
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
        report = rewrite_report(evaluation)
        files = report.write(out)
    report.show(files, console)
    return evaluation
