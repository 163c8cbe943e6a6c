"""The evaluation of rewrites, as `run_evaluation` runs it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from rich.progress import Progress

from services.evaluation.common.evaluation_run import LineEvaluation, ScoredLog
from services.evaluation.common.gold import GoldTurn, read_gold
from services.evaluation.common.report_files import Report
from services.evaluation.common.training_log import TrainingLog
from services.evaluation.common.understanding import Understanding
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.prediction import Prediction, read_predictions
from services.evaluation.rewrites.report import rewrite_report
from services.evaluation.rewrites.score import RewriteScores, score_rewrites

NO_REWRITE = "no rewrite"
TEXT_CHAIN = "text chain"


class RewriteEvaluation(LineEvaluation[GoldTurn, Prediction, RewriteScores], frozen=True, kw_only=True):
    """Rewrites, scored beside no rewrite and, where there is a training log, a plain chain over texts."""

    read_gold: Callable[[Path], Iterable[GoldTurn]] = read_gold
    read_lines: Callable[[Path], Iterable[Prediction]] = read_predictions
    report: Callable[[RewriteScores], Report] = rewrite_report
    understanding: Understanding  # what the assistant makes of a text

    def score(
        self, log: ScoredLog[GoldTurn, Prediction], progress: Progress, notes: Sequence[str] = ()
    ) -> RewriteScores:
        """As `score_rewrites`."""
        predictions: dict[str, Iterable[Prediction]] = dict(log.lines)
        if log.train_turns is not None:
            predictions[TEXT_CHAIN] = learn_text_chain(log.train_turns).predict(log.turns)
        predictions[NO_REWRITE] = no_rewrite(log.turns)
        bar = progress.add_task("scoring", total=len(predictions))
        return score_rewrites(
            log.turns,
            log.gold,
            predictions,
            self.understanding,
            baselines=(TEXT_CHAIN, NO_REWRITE),
            groups={} if log.train_turns is None else TrainingLog.of(log.train_turns).groups,
            resamples=self.resamples,
            seed=self.seed,
            notes=notes,
            on_scored=lambda _: progress.advance(bar),
        )
