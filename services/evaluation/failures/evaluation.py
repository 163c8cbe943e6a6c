"""`rehear evaluate failures`: files in, a report and tables out."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from failure_isolation.settings import FailureSettings
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.report_files import ReportFiles
from services.evaluation.errors import BaselineError, MismatchError
from services.evaluation.failures.file import read_failures
from services.evaluation.failures.gold import GoldFailure, read_gold_failures
from services.evaluation.failures.report import class_table, failure_table, write_failure_report
from services.evaluation.failures.score import FailureScores, score_failures
from services.platform.clock import now_ms
from streams.session import DEFAULT_GAP_MS, sessionize
from streams.turn import EventId, TurnEvent
from streams.turn_file import read_turns


def run_failure_evaluation(
    *,
    turns: Path,
    gold: Path,
    failures: Mapping[str, Path],
    out: Path,
    train_turns: Sequence[Path] = (),
    train_annotations: Sequence[Path] = (),
    groups: Mapping[str, str] | None = None,
    settings: FailureSettings | None = None,
    encoder: bool = True,
    gap_ms: int = DEFAULT_GAP_MS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> FailureScores:
    """Scores failures beside the baselines, writes the report and prints tables.

    Args:
        turns: the test log.
        gold: of all or some of its turns.
        failures: of each system by its name, output of `rehear isolate` on the test log.
        out: folder of the report.
        train_turns: logs that were learned from; without them there are no baselines.
        train_annotations: of these, or gold of them.
        groups: of test turns by their event, which are resampled where there is one user.
        settings: base, layers, passes, device and seed of the baseline that is an encoder.
        encoder: whether it is trained (minutes).
        gap_ms: as for `sessionize`.
        resamples: for the confidence intervals.
        seed: of the resampling, and of the baselines that learn.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, or the files do not belong together.
        TurnFileError: a file cannot be read.
    """
    console = Console() if console is None else console
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        reading = progress.add_task("reading", total=2 + len(failures))
        log = list(read_turns(turns, now_ms))
        progress.advance(reading)
        true = read_gold_failures(gold)
        progress.advance(reading)
        said = {}
        for name, path in failures.items():
            said[name] = read_failures(path)
            progress.advance(reading)
        past = [turn for path in train_turns for turn in read_turns(path, now_ms)]
        annotated = [line for path in train_annotations for line in read_gold_failures(path)]
        notes: list[str] = []
        baselines: dict[str, list[TurnFailure]] = {}
        if past:
            baselines = baseline_failures(
                log,
                past,
                annotated,
                settings=settings or FailureSettings(),
                encoder=encoder,
                gap_ms=gap_ms,
                seed=seed,
                progress=progress,
                notes=notes,
            )
        else:
            notes.append("There are no baselines: they learn from a training log, and none was given.")
        scoring = progress.add_task("scoring", total=None)
        scores = score_failures(
            log,
            true,
            said,
            baselines,
            gap_ms=gap_ms,
            groups=groups,
            resamples=resamples,
            seed=seed,
            notes=notes,
        )
        progress.remove_task(scoring)
        files = write_failure_report(scores, out)
    print_failure_scores(scores, files, console)
    return scores


def baseline_failures(
    log: Sequence[TurnEvent],
    past: Sequence[TurnEvent],
    annotated: Sequence[GoldFailure],
    *,
    settings: FailureSettings,
    encoder: bool,
    gap_ms: int,
    seed: int,
    progress: Progress,
    notes: list[str],
) -> dict[str, list[TurnFailure]]:
    """What the baselines say of a test log.

    Args:
        log: the test log.
        past: the training log.
        annotated: in the training log.
        settings: of the encoder.
        encoder: whether there is one.
        gap_ms: as for `sessionize`.
        seed: of the baselines.
        progress: shows how far they are.
        notes: is told of baselines that there are not, and of how they were made.

    Raises:
        MismatchError: the test log has turns of the training log, or an annotation is of none of its turns.
    """
    if any(importlib.util.find_spec(name) is None for name in ("torch", "sklearn")):
        notes.append("There are no baselines: they need the extra `train` of rehear.")
        return {}
    from services.evaluation.failures.baselines import (
        MAJORITY,
        METADATA,
        PLAIN_ENCODER,
        FailureLesson,
        MajorityIsolator,
        MetadataIsolator,
        train_encoder_isolator,
    )

    known = {turn.event_id for turn in past}
    if both := sorted(known & {turn.event_id for turn in log}):
        raise MismatchError(
            f"{len(both)} turns of the test log are in the training log, too ({both[0]}, ...): what is "
            "scored must not be learned from; give logs that have no turn in common"
        )
    if strangers := sorted({str(line.event_id) for line in annotated} - known):
        raise MismatchError(
            f"{len(strangers)} annotations are of no turn of the training log ({strangers[0]}, ...): give "
            "all logs that they speak of, or the annotations of these logs alone"
        )
    lesson = FailureLesson(
        dialogues=[session.turns for session in sessionize(past, gap_ms)],
        failure_points={
            EventId(line.event_id): line.failure_point for line in annotated if line.failure_point is not None
        },
    )

    def plain_encoder() -> FailureIsolator:
        bar = progress.add_task(PLAIN_ENCODER, total=None)
        made = train_encoder_isolator(
            lesson, settings, lambda _, done, total: progress.update(bar, completed=done, total=total)
        )
        progress.remove_task(bar)
        return made

    def metadata() -> FailureIsolator:
        made = MetadataIsolator(lesson, seed)
        how = "by how rare they are" if made.weighted else "alike"
        notes.append(
            f"The baseline {METADATA} weights classes {how}: the better of the two on the training log."
        )
        return made

    makers: dict[str, Callable[[], FailureIsolator]] = {PLAIN_ENCODER: plain_encoder} if encoder else {}
    makers |= {METADATA: metadata, MAJORITY: lambda: MajorityIsolator(lesson)}
    sessions = [session.turns for session in sessionize(log, gap_ms)]
    found: dict[str, list[TurnFailure]] = {}
    for name, make in makers.items():
        try:
            isolator = make()
        except BaselineError as error:
            notes.append(f"{error}.")
            continue
        found[name] = [one for of_session in isolator.isolate(sessions) for one in of_session]
    return found


def print_failure_scores(scores: FailureScores, files: ReportFiles, console: Console) -> None:
    """Prints the systems, their classes, what a reader should know, and where the report is."""
    console.print(failure_table(scores))
    console.print(class_table(scores))
    if scores.derived:
        console.print("The gold is derived: a rule made it from other annotations.", highlight=False)
    for note in scores.notes:
        console.print(escape(note), soft_wrap=True, highlight=False)
    console.print(f"report: {files.html} and {files.json}", soft_wrap=True)
