"""One run of an evaluation: logs, gold and what systems say of them in, a report and tables out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.report_files import Report
from services.platform.clock import now_ms
from streams.turn import TurnEvent
from streams.turn_file import read_turns

Gold = TypeVar("Gold")
Line = TypeVar("Line")
Read = TypeVar("Read")
Scores = TypeVar("Scores", bound=Struct)


class ScoredLog(Struct, Generic[Gold, Line], frozen=True, kw_only=True):
    """A test log, what is true of it and what systems say of it, and what baselines may learn from."""

    turns: Sequence[TurnEvent]
    gold: Sequence[Gold]  # of all or some of the turns
    lines: Mapping[str, Sequence[Line]]  # of each system; the first is compared with all others
    train_turns: Sequence[TurnEvent] | None = None  # None: there is no training log
    train_gold: Sequence[Gold] = ()


class LineEvaluation(Struct, Generic[Gold, Line, Scores], frozen=True, kw_only=True):
    """What is particular to the evaluation of one kind of model, which says a line of each turn."""

    read_gold: Callable[[Path], Iterable[Gold]]
    """Reads a gold file; raises `EvaluationError` where it cannot be used."""

    read_lines: Callable[[Path], Iterable[Line]]
    """Reads what a system says; raises `EvaluationError` where the file cannot be used."""

    report: Callable[[Scores], Report]
    resamples: int = DEFAULT_RESAMPLES  # for the confidence intervals
    seed: int = 0  # of the resampling, of the choice of examples, and of baselines that learn

    def score(self, log: ScoredLog[Gold, Line], progress: Progress, notes: Sequence[str] = ()) -> Scores:
        """Scores systems beside baselines, which are made first; the notes are for the reader."""
        raise NotImplementedError


def progress_bars(console: Console) -> Progress:
    """Progress bars that are gone when all is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def run_evaluation(
    evaluation: LineEvaluation[Gold, Line, Scores],
    *,
    turns: Path,
    gold: Path,
    lines: Mapping[str, Path],
    out: Path,
    train_turns: Sequence[Path] = (),
    train_annotations: Sequence[Path] = (),
    console: Console | None = None,
) -> Scores:
    """Scores what systems say beside the baselines, writes the report and prints tables.

    Args:
        evaluation: of the kind of model.
        turns: the test log.
        gold: of all or some of its turns.
        lines: what each system says of the test log, by its name.
        out: folder of the report.
        train_turns: logs that were learned from; without them no baseline learns.
        train_annotations: of these, in any form that `gold` may have.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, or the files do not belong together.
        TurnFileError: a file cannot be read.
    """
    console = console or Console()
    with progress_bars(console) as progress:
        files = 2 + len(lines) + len(train_turns) + len(train_annotations)
        bar = progress.add_task("reading", total=files)

        def read(lines_of: Callable[[Path], Iterable[Read]], *paths: Path) -> list[Read]:
            found: list[Read] = []
            for path in paths:
                found.extend(lines_of(path))
                progress.advance(bar)
            return found

        log = ScoredLog(
            turns=read(_turns_of, turns),
            gold=read(evaluation.read_gold, gold),
            lines={name: read(evaluation.read_lines, path) for name, path in lines.items()},
            train_turns=read(_turns_of, *train_turns) if train_turns else None,
            train_gold=read(evaluation.read_gold, *train_annotations),
        )
        scores = evaluation.score(log, progress)
        report = evaluation.report(scores)
        written = report.write(out)
    report.show(written, console)
    return scores


def _turns_of(path: Path) -> Iterable[TurnEvent]:
    return read_turns(path, now_ms)
