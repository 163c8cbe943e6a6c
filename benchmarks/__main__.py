"""`python -m benchmarks [NAME...]`: runs benchmarks, prints their figures, and writes them to a folder."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import failures, fundamental, ingest, labels, lookup, mining, online, rephrases, vectors
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


def main(
    names: Annotated[list[Name] | None, typer.Argument(help="Which ones; all by default.")] = None,
    quick: Annotated[bool, typer.Option(help="Small sizes: only shows that they run.")] = False,
    logs: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of logs for `ingest`.")
    ] = None,
    entries: Annotated[
        int, typer.Option(min=1_000, help="Requests that `online` knows of; a tenth as many users.")
    ] = online.ENTRIES,
    device: Annotated[str, typer.Option(help="On which models are trained: cpu, cuda, or auto.")] = "cpu",
    out: Annotated[Path, typer.Option(help="Folder of the JSON files.")] = Path("benchmarks-output"),
) -> None:
    """Runs benchmarks. Nothing else should run on the machine meanwhile."""
    log_only_errors()
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
    console = Console()
    for name in names or list(Name):
        report = benchmarks[name]()
        report.show(console)
        console.print(f"written to {report.write(out)}\n")


if __name__ == "__main__":
    typer.run(main)
