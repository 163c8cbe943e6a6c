"""`python -m benchmarks [NAME...]`: runs benchmarks, prints their figures, and writes them to a folder.

With `--against PATH` a question is asked of this checkout and of another one, side by side.
"""

import importlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:  # each process that a benchmark starts loads this module, which then brings nothing along
    from benchmarks.report import BenchmarkReport


class Name(StrEnum):
    """The benchmarks."""

    MINING = "mining"
    FUNDAMENTAL = "fundamental"
    INGEST = "ingest"
    LOOKUP = "lookup"
    VECTORS = "vectors"
    ONLINE = "online"
    REPHRASES = "rephrases"
    LABELS = "labels"
    FAILURES = "failures"
    PLANTING = "planting"
    START = "start"  # with --against alone


def main(
    names: Annotated[
        list[Name] | None, typer.Argument(help="Benchmarks to run; by default all.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option(help="Use small sizes, which only show that they run.")] = False,
    logs: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of logs for `ingest`.")
    ] = None,
    entries: Annotated[
        int, typer.Option(min=1_000, help="Requests that `online` knows of; a tenth as many users.")
    ] = 1_000_000,
    device: Annotated[str, typer.Option(help="Device to train models on: cpu, cuda, or auto.")] = "cpu",
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another checkout with a .venv of its own. Both are asked in the order A B B A, through "
            "commands, Kafka and HTTP alone."
        ),
    ] = None,
    pairs: Annotated[
        int,
        typer.Option(min=2, help="With --against: pairs of runs. Use 7 or more to tell ratios below 1.2."),
    ] = 7,
    threads: Annotated[
        int, typer.Option(min=1, help="With --against: threads of numerical libraries, of both sides.")
    ] = 1,
    state_ours: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="With --against, for `online`: a state with models for this checkout; by default, both "
            "learn a small simulated log.",
        ),
    ] = None,
    state_theirs: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="The same for the other checkout."),
    ] = None,
    turns: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="With --state-ours: the log whose turns are asked."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the JSON files.")] = Path("benchmarks-output"),
) -> None:
    """Runs benchmarks. Nothing else should run on the machine meanwhile."""
    from benchmarks.measured_process import log_only_errors

    log_only_errors()
    console = Console()
    if against is not None:
        states = (state_ours, state_theirs)
        _compare(console, names, against, pairs, threads, quick, states, turns, out)
        return
    if Name.START in (names or ()):
        raise typer.BadParameter("`start` compares two checkouts: give --against PATH")
    for name in names or [name for name in Name if name is not Name.START]:
        report = _report_of(name, quick, logs, entries, device, out)
        report.show(console)
        console.print(f"written to {report.write(out)}\n")


def _compare(
    console: Console,
    names: list[Name] | None,
    against: Path,
    pairs: int,
    threads: int,
    quick: bool,
    states: tuple[Path | None, Path | None],
    turns: Path | None,
    out: Path,
) -> None:
    from benchmarks.against.checkout import Checkout
    from benchmarks.against.comparison import compare
    from benchmarks.against.errors import SideBySideError
    from benchmarks.against.questions import SIDE_BY_SIDE, question_of

    def on_pair(number: int, ratio: float) -> None:
        console.print(f"pair {number} of {pairs}: {ratio:.3f}")

    try:
        ours, theirs = Checkout.ours(), Checkout.at(against)
        for question in [question_of(name, quick, states, turns) for name in names or SIDE_BY_SIDE]:
            comparison = compare(
                question, ours, theirs, pairs=pairs, threads=threads, quick=quick, on_pair=on_pair
            )
            comparison.show(console)
            console.print(f"written to {comparison.write(out)}\n")
    except SideBySideError as error:
        console.print(f"[bold red]benchmarks:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error


def _report_of(
    name: Name, quick: bool, logs: Path | None, entries: int, device: str, out: Path
) -> "BenchmarkReport":
    options: dict[Name, tuple[object, ...]] = {
        Name.INGEST: (logs,),
        Name.ONLINE: (entries,),
        Name.LABELS: (device,),
        Name.FAILURES: (device,),
        Name.PLANTING: (out,),
    }
    report: BenchmarkReport = importlib.import_module(f"benchmarks.{name.value}").run(
        quick, *options.get(name, ())
    )
    return report


if __name__ == "__main__":
    typer.run(main)
