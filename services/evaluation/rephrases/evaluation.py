"""`rehear evaluate rephrases`: files in, a report and a table out."""

import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.rephrases.settings import RephraseSettings
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.evaluation_run import FileReader, progress_bars
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
from services.evaluation.rephrases.gold import read_rephrase_gold
from services.evaluation.rephrases.report import rephrase_report
from services.evaluation.rephrases.score import Predictions, RephraseEvaluation, evaluate_rephrases
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


def run_rephrase_evaluation(
    *,
    turns: Path,
    gold: Path,
    out: Path,
    rephrases: Path | None = None,
    detector_of: DetectorOf | None = None,
    train: Sequence[Path] = (),
    train_detector: TrainDetector | None = None,
    settings: RephraseSettings | None = None,
    gap_ms: int = DEFAULT_GAP_MS,
    name: str = "rehear",
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> RephraseEvaluation:
    """Scores rephrases beside the baselines, writes the report and prints a table.

    Args:
        turns: the test log.
        gold: a line for each of its turns.
        out: folder of the report.
        rephrases: the output of `rehear rephrases` on the test log.
        detector_of: gives the detectors to run, which can be ranked below their threshold, too.
        train: the logs that were learned from; without them there are neither baselines nor weak labels.
        train_detector: trains the ablations on these logs; without it there are none.
        settings: of the detectors, and of the candidate pairs of the baselines; the defaults where None.
        gap_ms: as for `sessionize`.
        name: of the system, in the report.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling, and of the choice of examples.
        console: where progress and table go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, the files do not belong together, an assistant of the log has
            no detector, or a baseline cannot learn from the training log.
        RephraseTrainingError: the training log does not show how users rephrase.
        TurnFileError: a file cannot be read.
    """
    console = console or Console()
    settings = settings or RephraseSettings()
    with (
        progress_bars(console) as progress,
        tempfile.TemporaryDirectory(prefix="rehear-baselines-") as folder,
    ):
        reader = FileReader(progress, 2 + len(train) + (rephrases is not None))
        log = reader.turns(turns)
        meant = reader.read(read_rephrase_gold, gold)
        predictions: list[Predictions] = []
        notes: list[str] = []
        sessions = sessionize(log, gap_ms)
        if detector_of is not None:
            predictions.append(_detected(name, sessions, detector_of, settings))
        if rephrases is not None:
            file_name = name if detector_of is None else f"{name} (file)"
            predictions.append(Predictions(name=file_name, lines=reader.read(read_rephrases, rephrases)))
            notes.append(FILE_ALONE.format(name=file_name))
        systems: list[RephraseSystem] = []
        learned = sessionize(reader.turns(*train), gap_ms)
        if train_detector is not None:
            systems += _variants(learned, train_detector, settings, progress)
        if train:
            weak = WeakLabels.fit(learned, settings)
            systems.append(RephraseSystem(name=WEAK_LABELS, detector=weak, threshold=WEAKLY_LINKED))
            systems += baseline_systems(learned, weak, settings, Path(folder), progress)
        running = progress.add_task("finding rephrases", total=len(systems))
        for system in systems:
            predictions.append(_predictions(system, sessions, settings))
            progress.advance(running)
        scoring = progress.add_task("scoring", total=len(predictions))
        evaluation = evaluate_rephrases(
            log,
            meant,
            predictions,
            resamples=resamples,
            seed=seed,
            notes=notes,
            on_scored=lambda _: progress.advance(scoring),
        )
        report = rephrase_report(evaluation)
        files = report.write(out)
    report.show(files, console)
    return evaluation


def _variants(
    past: Sequence[Session], train: TrainDetector, settings: RephraseSettings, progress: Progress
) -> list[RephraseSystem]:
    bar = progress.add_task("training variants", total=len(VARIANTS))
    sessions = [session.turns for session in past if len(session.turns) > 1]
    return ablated_systems(train, sessions, settings, on_trained=lambda _: progress.advance(bar))


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


def _predictions(
    system: RephraseSystem, sessions: Sequence[Session], settings: RephraseSettings
) -> Predictions:
    return Predictions(
        name=system.name,
        lines=system.rank(sessions, settings.points_at),
        threshold=system.threshold,
        baseline=system.baseline,
    )
