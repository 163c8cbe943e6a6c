"""The evaluation of rephrases, as `run_evaluation` runs it."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from rich.progress import Progress

from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.rephrases.settings import RephraseSettings
from services.evaluation.common.evaluation_run import LineEvaluation, ScoredLog
from services.evaluation.common.report_files import Report
from services.evaluation.errors import EvaluationStateError
from services.evaluation.rephrases.ablations import VARIANTS, TrainDetector, ablated_systems
from services.evaluation.rephrases.baselines import (
    WEAKLY_LINKED,
    Sessions,
    TextPairDetector,
    VectorCosine,
    base_encoder,
    edit_similarity,
    system_at_best_threshold,
)
from services.evaluation.rephrases.gold import GoldRephrase, read_rephrase_gold
from services.evaluation.rephrases.report import rephrase_report
from services.evaluation.rephrases.score import Predictions, RephraseScores, score_rephrases
from services.evaluation.rephrases.signal_rule import SignalRule
from services.evaluation.rephrases.system import RankedRephrase, RephraseSystem, read_rephrases
from services.evaluation.rephrases.weak_labels import WeakLabels
from streams.session import DEFAULT_GAP_MS, Session, sessionize
from streams.turn import AssistantId

BI_ENCODER = "bi-encoder"
CROSS_ENCODER = "cross-encoder"
SIGNAL_RULE = "signal rule"
WEAK_LABELS = "weak labels"

FILE_ALONE = (
    "A file of rephrases tells which turn is named only at or above its threshold: best F1, PR-AUC, recall "
    "at precision 90 % and calibration of {name} are over these lines alone."
)

MOST_STEPS = 1_250
"""Of the training of the cross-encoder: it reads as many pairs as the detector reads examples."""

DetectorOf = Callable[[AssistantId], RephraseDetector | None]
"""The detector of an assistant; None: it has none."""


class RephraseEvaluation(
    LineEvaluation[GoldRephrase, RankedRephrase, RephraseScores], frozen=True, kw_only=True
):
    """Rephrases of files and of detectors, scored beside the baselines.

    Without a training log there are neither baselines nor weak labels nor variants.
    """

    read_gold: Callable[[Path], Iterable[GoldRephrase]] = read_rephrase_gold
    read_lines: Callable[[Path], Iterable[RankedRephrase]] = read_rephrases
    report: Callable[[RephraseScores], Report] = rephrase_report
    detector_of: DetectorOf | None = None  # detectors to run, which can be ranked below their threshold, too
    train_detector: TrainDetector | None = None  # trains the variants; without it there are none
    settings: RephraseSettings = RephraseSettings()  # of the detectors, and of the pairs of the baselines
    gap_ms: int = DEFAULT_GAP_MS  # as for `sessionize`
    name: str = "rehear"  # of the detectors, in the report

    def score(
        self, log: ScoredLog[GoldRephrase, RankedRephrase], progress: Progress, notes: Sequence[str] = ()
    ) -> RephraseScores:
        """As `score_rephrases`.

        Raises:
            EvaluationError: the files do not belong together, an assistant of the log has no detector, or a
                baseline cannot learn from the training log.
            RephraseTrainingError: the training log does not show how users rephrase.
        """
        told = list(notes)
        predictions: list[Predictions] = []
        sessions = sessionize(log.turns, self.gap_ms)
        if self.detector_of is not None:
            predictions.append(_detected(self.name, sessions, self.detector_of, self.settings))
        for name, lines in log.lines.items():
            shown = name if self.detector_of is None else f"{name} (file)"
            predictions.append(Predictions(name=shown, lines=lines))
            told.append(FILE_ALONE.format(name=shown))
        if log.train_turns is not None:
            learned = sessionize(log.train_turns, self.gap_ms)
            predictions += self._compared(learned, sessions, progress)
        bar = progress.add_task("scoring", total=len(predictions))
        return score_rephrases(
            log.turns,
            log.gold,
            predictions,
            resamples=self.resamples,
            seed=self.seed,
            notes=told,
            on_scored=lambda _: progress.advance(bar),
        )

    def _compared(
        self, past: Sequence[Session], sessions: Sequence[Session], progress: Progress
    ) -> Iterator[Predictions]:
        """What variants, weak labels and baselines say, which learn from the sessions of a training log."""
        settings = self.settings
        systems: list[RephraseSystem] = []
        if self.train_detector is not None:
            bar = progress.add_task("training variants", total=len(VARIANTS))
            dialogues = [session.turns for session in past if len(session.turns) > 1]
            systems += ablated_systems(
                self.train_detector, dialogues, settings, on_trained=lambda _: progress.advance(bar)
            )
        weak = WeakLabels.fit(past, settings)
        systems.append(RephraseSystem(name=WEAK_LABELS, detector=weak, threshold=WEAKLY_LINKED))
        with tempfile.TemporaryDirectory(prefix="rehear-baselines-") as folder:
            systems += baseline_systems(past, weak, settings, Path(folder), progress)
            running = progress.add_task("finding rephrases", total=len(systems))
            for system in systems:
                yield Predictions(
                    name=system.name,
                    lines=system.rank(sessions, settings.points_at),
                    threshold=system.threshold,
                    baseline=system.baseline,
                )
                progress.advance(running)


def baseline_systems(
    past: Sequence[Session], labels: WeakLabels, settings: RephraseSettings, folder: Path, progress: Progress
) -> list[RephraseSystem]:
    """The four baselines, set and trained on a training log with its weak links.

    Args:
        past: sessions of the log.
        labels: give the weak links.
        settings: of the detector that they are compared with.
        folder: where encoders are exported to; they are read from there as long as they are used.
        progress: shows what is being done.

    Raises:
        BaselineError: the log shows no second tries.
    """
    # They load torch, which takes seconds, and without a training log nothing here needs it.
    from rewriting.encoders.pair_training import PairEncoderTraining
    from services.evaluation.rephrases.cross_encoder import train_cross_encoder

    bar = progress.add_task("baselines", total=4)
    sessions: Sessions = [session.turns for session in past if len(session.turns) > 1]
    weak = labels.detect(sessions)
    systems = [edit_similarity(sessions, weak, settings)]
    progress.advance(bar)
    cosine = TextPairDetector(VectorCosine(base_encoder(settings.base, folder / "bi")), settings)
    systems.append(system_at_best_threshold(BI_ENCODER, cosine, sessions, weak))
    progress.advance(bar)
    steps = progress.add_task(f"training {CROSS_ENCODER}", total=None)
    reader = train_cross_encoder(
        sessions,
        weak,
        settings,
        folder / "cross",
        PairEncoderTraining(epochs=2, most_steps=MOST_STEPS),
        lambda _, done, total: progress.update(steps, completed=done, total=total),
    )
    systems.append(system_at_best_threshold(CROSS_ENCODER, reader, sessions, weak))
    progress.advance(bar)
    systems.append(
        RephraseSystem(name=SIGNAL_RULE, detector=SignalRule(settings), threshold=1, baseline=True)
    )
    progress.advance(bar)
    return systems


def _detected(
    name: str, sessions: Sequence[Session], detector_of: DetectorOf, settings: RephraseSettings
) -> Predictions:
    """What each assistant's own detector says."""
    lines: list[RankedRephrase] = []
    for assistant_id, group in groupby(sessions, key=lambda session: session.assistant_id):
        detector = detector_of(assistant_id)
        if detector is None:
            raise EvaluationStateError(
                f"there is no detector of rephrases for the assistant {assistant_id!r}: learn from its log "
                "with `rehear learn`"
            )
        system = RephraseSystem(name=name, detector=detector, threshold=settings.threshold)
        lines += system.rank(list(group), settings.points_at)
    return Predictions(name=name, lines=lines, threshold=settings.threshold)
