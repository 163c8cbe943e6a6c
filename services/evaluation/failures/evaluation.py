"""The evaluation of failure points, as `run_evaluation` runs it."""

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import Progress

from failure_isolation.settings import FailureSettings
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.assistant_work import shown_steps
from services.evaluation.common.evaluation_run import LineEvaluation, ScoredLog
from services.evaluation.common.report_files import Report
from services.evaluation.common.same_events import require_apart
from services.evaluation.errors import BaselineError, MismatchError
from services.evaluation.failures.file import read_failures
from services.evaluation.failures.gold import GoldFailure, read_gold_failures
from services.evaluation.failures.report import failure_report
from services.evaluation.failures.score import FailureScores, score_failures
from streams.session import DEFAULT_GAP_MS, sessionize
from streams.turn import EventId

if TYPE_CHECKING:  # it loads scikit-learn, which is needed where there is a training log alone
    from services.evaluation.failures.baselines import FailureLesson


class FailureEvaluation(LineEvaluation[GoldFailure, TurnFailure, FailureScores], frozen=True, kw_only=True):
    """Failure points, scored beside baselines that learn from a training log."""

    read_gold: Callable[[Path], Iterable[GoldFailure]] = read_gold_failures
    read_lines: Callable[[Path], Iterable[TurnFailure]] = read_failures
    report: Callable[[FailureScores], Report] = failure_report
    settings: FailureSettings = FailureSettings()  # base, layers, passes, device and seed of the encoder
    encoder: bool = True  # whether the baseline that reads requests and responses is trained (minutes)
    groups: Mapping[str, str] | None = None  # of turns by their event: resampled where there is one user
    gap_ms: int = DEFAULT_GAP_MS  # as for `sessionize`

    def score(
        self, log: ScoredLog[GoldFailure, TurnFailure], progress: Progress, notes: Sequence[str] = ()
    ) -> FailureScores:
        """As `score_failures`; the notes come before those on the baselines.

        Raises:
            MismatchError: the test log has turns of the training log, or an annotation is of none of its
                turns, or `score_failures` refuses them.
        """
        told = list(notes)
        baselines = self._baselines(log, progress, told)
        bar = progress.add_task("scoring", total=None)
        scores = score_failures(
            log.turns,
            log.gold,
            log.lines,
            baselines,
            gap_ms=self.gap_ms,
            groups=self.groups,
            resamples=self.resamples,
            seed=self.seed,
            notes=told,
        )
        progress.remove_task(bar)
        return scores

    def _baselines(
        self, log: ScoredLog[GoldFailure, TurnFailure], progress: Progress, notes: list[str]
    ) -> dict[str, list[TurnFailure]]:
        """What the baselines say of the test log; the notes tell of those that there are not."""
        if not log.train_turns:
            notes.append("There are no baselines: they learn from a training log, and none was given.")
            return {}
        if any(importlib.util.find_spec(name) is None for name in ("torch", "sklearn")):
            notes.append("There are no baselines: they need the extra `train` of rehear.")
            return {}
        from services.evaluation.failures.baselines import FailureLesson

        require_apart(log.train_turns, log.turns)
        known = {turn.event_id for turn in log.train_turns}
        if strangers := sorted({str(line.event_id) for line in log.train_gold} - known):
            raise MismatchError(
                f"{len(strangers)} annotations are of no turn of the training log ({strangers[0]}, ...): "
                "give all logs that they speak of, or the annotations of these logs alone"
            )
        lesson = FailureLesson(
            dialogues=[session.turns for session in sessionize(log.train_turns, self.gap_ms)],
            failure_points={
                EventId(line.event_id): line.failure_point
                for line in log.train_gold
                if line.failure_point is not None
            },
        )
        sessions = [session.turns for session in sessionize(log.turns, self.gap_ms)]
        found: dict[str, list[TurnFailure]] = {}
        for name, make in self._makers(lesson, progress, notes).items():
            try:
                isolator = make()
            except BaselineError as error:
                notes.append(f"{error}.")
                continue
            found[name] = [one for of_session in isolator.isolate(sessions) for one in of_session]
        return found

    def _makers(
        self, lesson: "FailureLesson", progress: Progress, notes: list[str]
    ) -> dict[str, Callable[[], FailureIsolator]]:
        """What makes each baseline, in the order of the report."""
        from services.evaluation.failures import baselines

        def plain_encoder() -> FailureIsolator:
            shown = shown_steps(progress, baselines.PLAIN_ENCODER)
            return baselines.train_encoder_isolator(lesson, self.settings, shown)

        def metadata() -> FailureIsolator:
            made = baselines.MetadataIsolator(lesson, self.seed)
            how = "by how rare they are" if made.weighted else "alike"
            notes.append(
                f"The baseline {baselines.METADATA} weights classes {how}: the better of the two on the "
                "training log."
            )
            return made

        encoder = {baselines.PLAIN_ENCODER: plain_encoder} if self.encoder else {}
        return {
            **encoder,
            baselines.METADATA: metadata,
            baselines.MAJORITY: lambda: baselines.MajorityIsolator(lesson),
        }
