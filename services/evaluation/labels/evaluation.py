"""The evaluation of labels, as `run_evaluation` runs it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec.structs import replace
from rich.progress import Progress

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.evaluation_run import LineEvaluation, ScoredLog
from services.evaluation.common.report_files import Report
from services.evaluation.labels.file import read_labels
from services.evaluation.labels.gold import GoldLabel, read_gold_labels
from services.evaluation.labels.report import label_report
from services.evaluation.labels.score import LabelScores, score_labels
from services.evaluation.labels.scored_task import TASKS
from streams.session import DEFAULT_GAP_MS


class LabelEvaluation(LineEvaluation[GoldLabel, TurnLabel, LabelScores], frozen=True, kw_only=True):
    """Labels, scored beside baselines; those that learn need a training log."""

    read_gold: Callable[[Path], Iterable[GoldLabel]] = read_gold_labels
    read_lines: Callable[[Path], Iterable[TurnLabel]] = read_labels
    report: Callable[[LabelScores], Report] = label_report
    gap_ms: int = DEFAULT_GAP_MS  # as for `sessionize`

    def score(
        self, log: ScoredLog[GoldLabel, TurnLabel], progress: Progress, notes: Sequence[str] = ()
    ) -> LabelScores:
        """As `score_labels`; the notes come after those of the scoring."""
        bar = progress.add_task("scoring", total=len(TASKS))
        scores = score_labels(
            log.turns,
            log.gold,
            log.lines,
            train_turns=log.train_turns or (),
            train_gold=log.train_gold,
            gap_ms=self.gap_ms,
            resamples=self.resamples,
            seed=self.seed,
            on_scored=lambda _: progress.advance(bar),
        )
        return replace(scores, notes=(*scores.notes, *notes))
