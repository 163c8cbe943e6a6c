"""`rehear evaluate rephrases`: files in, a report and a table out."""

import tempfile
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.rephrases.settings import RephraseSettings
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
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
from services.evaluation.rephrases.report import rephrase_table, write_rephrase_report
from services.evaluation.rephrases.score import Predictions, RephraseEvaluation, evaluate_rephrases
from services.evaluation.rephrases.signal_rule import SignalRule
from services.evaluation.rephrases.system import RankedRephrase, RephraseSystem, read_rephrases
from services.evaluation.rephrases.weak_labels import WeakLabels
from services.platform.clock import now_ms
from streams.session import DEFAULT_GAP_MS, Session, sessionize
from streams.turn import AssistantId, TurnEvent
from streams.turn_file import read_turns

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
    console = Console() if console is None else console
    settings = settings or RephraseSettings()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=3 + len(train))
        log = list(read_turns(turns, now_ms))
        progress.advance(reading)
        meant = list(read_rephrase_gold(gold))
        progress.advance(reading)
        said = [] if rephrases is None else list(read_rephrases(rephrases))
        progress.advance(reading)
        past: list[TurnEvent] = []
        for path in train:
            past.extend(read_turns(path, now_ms))
            progress.advance(reading)
        sessions = sessionize(log, gap_ms)
        predictions: list[Predictions] = []
        notes: list[str] = []
        if detector_of is not None:
            predictions.append(_detected(name, sessions, detector_of, settings))
        if rephrases is not None:
            file_name = name if detector_of is None else f"{name} (file)"
            predictions.append(Predictions(name=file_name, lines=said))
            notes.append(FILE_ALONE.format(name=file_name))
        systems: list[RephraseSystem] = []
        learned = sessionize(past, gap_ms)
        if train_detector is not None:
            bar = progress.add_task("training variants", total=len(VARIANTS))
            systems += ablated_systems(
                train_detector,
                [session.turns for session in learned if len(session.turns) > 1],
                settings,
                on_trained=lambda _: progress.advance(bar),
            )
        with tempfile.TemporaryDirectory(prefix="rehear-baselines-") as folder:
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
        files = write_rephrase_report(evaluation, out)
    console.print(rephrase_table(evaluation))
    for note in evaluation.notes:
        console.print(escape(note), soft_wrap=True, highlight=False)
    console.print(f"report: {files.html} and {files.json}", soft_wrap=True)
    return evaluation


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
