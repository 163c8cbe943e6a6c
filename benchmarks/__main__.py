"""`python -m benchmarks [NAME...]`: runs benchmarks, prints their figures, and writes them to a folder."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import failures, fundamental, ingest, labels, lookup, mining, online, rephrases, vectors
from benchmarks.against.checkout import Checkout
from benchmarks.against.comparison import LEAST_PAIRS, compare
from benchmarks.against.errors import SideBySideError
from benchmarks.against.questions import SIDE_BY_SIDE, question_of
from benchmarks.measured_process import log_only_errors
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
    START = "start"


def main(
    names: Annotated[
        list[Name] | None, typer.Argument(help="Which benchmarks to run; by default all.")
    ] = None,
    quick: Annotated[bool, typer.Option(help="Use small sizes, which only show that they run.")] = False,
    logs: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of logs for `ingest`.")
    ] = None,
    entries: Annotated[
        int, typer.Option(min=1_000, help="Requests that `online` knows of; a tenth as many users.")
    ] = online.ENTRIES,
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
        typer.Option(
            min=LEAST_PAIRS, help="With --against: pairs of runs. Use 7 or more to tell ratios below 1.2."
        ),
    ] = 7,
    threads: Annotated[
        int, typer.Option(min=1, help="With --against: threads of numerical libraries of both sides.")
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
    log_only_errors()
    console = Console()
    if against is not None:
        try:
            ours, theirs = Checkout.ours(), Checkout.at(against)
            for name in names or SIDE_BY_SIDE:
                question = question_of(
                    name, quick=quick, state_ours=state_ours, state_theirs=state_theirs, turns=turns
                )
                comparison = compare(
                    question,
                    ours,
                    theirs,
                    pairs=pairs,
                    threads=threads,
                    quick=quick,
                    on_pair=lambda number, ratio: console.print(f"pair {number} of {pairs}: {ratio:.3f}"),
                )
                comparison.show(console)
                console.print(f"written to {comparison.write(out)}\n")
        except SideBySideError as error:
            console.print(f"[bold red]benchmarks:[/] {error}", highlight=False, soft_wrap=True)
            raise typer.Exit(1) from error
        return
    benchmarks: dict[Name, Callable[[], BenchmarkReport]] = {
        Name.MINING: lambda: mining.run(quick),
        Name.FUNDAMENTAL: lambda: fundamental.run(quick),
        Name.INGEST: lambda: ingest.run(quick, logs),
        Name.LOOKUP: lambda: lookup.run(quick),
        Name.VECTORS: lambda: vectors.run(quick),
        Name.ONLINE: lambda: online.run(quick, entries),
        Name.REPHRASES: lambda: rephrases.run(quick),
        Name.LABELS: lambda: labels.run(quick, device),
        Name.FAILURES: lambda: failures.run(quick, device),
    }
    for name in names or benchmarks:
        report = benchmarks[name]()
        report.show(console)
        console.print(f"written to {report.write(out)}\n")


if __name__ == "__main__":
    typer.run(main)
