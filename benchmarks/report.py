"""What a benchmark found: machine, sizes and figures, on the screen and in a file."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine

Cell = str | int | float | None
MIB = 2**20

MOST_COLUMNS = 8


class BenchmarkReport(Struct, frozen=True, kw_only=True):
    """The answer to one question."""

    name: str
    question: str
    machine: Machine
    quick: bool  # small sizes: shows that the benchmark runs, and nothing else
    sizes: dict[str, Cell]
    figures: tuple[dict[str, Cell], ...]  # rows of the table: column -> value, with its unit in the name
    notes: tuple[str, ...] = ()

    def show(self, console: Console) -> None:
        """Prints it."""
        console.rule(f"{self.name}: {self.question}")
        machine = self.machine
        console.print(
            f"{machine.processor}, {machine.cores} cores, {machine.memory_gib:.1f} GiB, "
            f"Python {machine.python}, {machine.system}; load before: {machine.load_before:.1f}",
            highlight=False,
        )
        console.print(", ".join(f"{name}: {shown(value)}" for name, value in self.sizes.items()))
        console.print(_table(self.figures))
        for note in self.notes:
            console.print(note, highlight=False)

    def write(self, folder: Path) -> Path:
        """Writes it as JSON, and gives the file."""
        return write_json(self, folder / f"{self.name}.json")


def _table(figures: Sequence[dict[str, Cell]]) -> Table:
    """A row for each run, or a column for each where there are more figures than a screen is wide."""
    names = list(dict.fromkeys(name for row in figures for name in row))
    if len(names) <= MOST_COLUMNS:
        table = Table(*names)
        for row in figures:
            table.add_row(*(shown(row.get(name)) for name in names))
        return table
    first, *others = names
    table = Table(first, *(shown(row.get(first)) for row in figures))
    for name in others:
        table.add_row(name, *(shown(row.get(name)) for row in figures))
    return table


def write_json(report: Struct, path: Path) -> Path:
    """Writes a report for people and programs to read, and gives the file; its folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    return path


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """The value that this share (0..1) of the values does not exceed."""
    return sorted_values[min(int(share * len(sorted_values)), len(sorted_values) - 1)]


def shown(value: Cell) -> str:
    """A figure as a person reads it: three digits, thousands separated."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
