"""Asks a question of both sides in turn, and says how they compare: on the screen, and in a file."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from benchmarks.against.checkout import Checkout
from benchmarks.against.errors import QuestionError
from benchmarks.against.paired_ratio import paired_ratio, run_order
from benchmarks.against.question import Figure, Question
from benchmarks.against.side import Side, SideName
from benchmarks.machine import Machine, this_machine
from benchmarks.report import Cell, shown, write_json

LEAST_PAIRS = 2
"""A B B A: with one pair, what drifts would count for one side alone."""


class Processor(Struct, frozen=True, kw_only=True):
    """On what the figures were measured."""

    model: str
    instruction_sets: tuple[str, ...]
    cores: int  # that the benchmark might use
    threads: int  # that numerical libraries of either side were told to use


class ComparedFigure(Struct, frozen=True, kw_only=True):
    """A figure of both sides."""

    what: str
    unit: str
    ours: float  # median of the runs
    theirs: float
    ratio: float  # median of the pairs' ratios, ours / theirs
    low: float  # of the interval that `coverage` belongs to
    high: float
    runs_ours: tuple[float, ...]  # in the order of the pairs
    runs_theirs: tuple[float, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """The answer: the first figure, and those that go with it."""

    name: str
    question: str
    what: str
    unit: str
    ours: float
    theirs: float
    ratio: float
    low: float
    high: float
    coverage: float  # chance that an interval made as `low` to `high` holds the true median ratio
    pairs: int
    order: tuple[SideName, ...]
    cpu: Processor
    machine: Machine
    commits: dict[SideName, str | None]
    pythons: dict[SideName, str]
    quick: bool
    sizes: dict[str, Cell]
    figures: tuple[ComparedFigure, ...]  # the first is the one above, with its runs

    def show(self, console: Console) -> None:
        """Prints it."""
        console.rule(f"{self.name}, side by side: {self.question}")
        console.print(
            f"{self.machine.processor}, {self.cpu.cores} cores, {self.cpu.threads} thread(s) for numerical "
            f"libraries, {self.machine.memory_gib:.1f} GiB, {self.machine.system}; load before: "
            f"{self.machine.load_before:.1f}",
            highlight=False,
        )
        console.print(
            ", ".join(
                f"{side}: {commit or 'not in git'} on Python {self.pythons[side]}"
                for side, commit in self.commits.items()
            ),
            highlight=False,
        )
        console.print(", ".join(f"{name}: {shown(value)}" for name, value in self.sizes.items()))
        table = Table("figure", "unit", "ours", "theirs", "ours / theirs", "low", "high")
        for one in self.figures:
            values = (one.ours, one.theirs, one.ratio, one.low, one.high)
            table.add_row(one.what, one.unit, *map(shown, values))
        console.print(table)
        console.print(
            f"Medians of {self.pairs} pairs in the order A B B A; low to high holds the true median ratio "
            f"with a chance of {self.coverage:.1%}."
        )

    def write(self, folder: Path) -> Path:
        """Writes it as JSON, and gives the file."""
        return write_json(self, folder / f"{self.name}.json")


def compare(
    question: Question,
    ours: Checkout,
    theirs: Checkout,
    *,
    pairs: int,
    threads: int = 1,
    quick: bool = False,
    on_pair: Callable[[int, float], None] = lambda number, ratio: None,
) -> Comparison:
    """Asks both sides in the order A B B A.

    Args:
        question: to ask.
        ours: the side A.
        theirs: the side B.
        pairs: of runs, at least 2.
        threads: that numerical libraries may use.
        quick: whether the sizes are too small for the figures to mean something.
        on_pair: called after each pair with its number, from 1, and the ratio of its first figure.

    Raises:
        QuestionError: there are too few pairs.
        SideBySideError: a command of a side fails.
    """
    if pairs < LEAST_PAIRS:
        raise QuestionError(f"{pairs} pair(s): give at least {LEAST_PAIRS}, so that the order is A B B A")
    machine = this_machine()
    checkouts: dict[SideName, Checkout] = {"ours": ours, "theirs": theirs}
    runs: dict[SideName, list[tuple[float, ...]]] = {"ours": [], "theirs": []}
    order = run_order(pairs)
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        sides = {
            side: Side(name=side, checkout=checkout, folder=Path(name) / side, threads=threads)
            for side, checkout in checkouts.items()
        }
        for side in sides.values():
            side.folder.mkdir()
        question.prepare(list(sides.values()))
        for number, pair in enumerate(order, 1):
            measured = question.measure([sides[side_name] for side_name in pair])
            for side_name, figures_of_run in zip(pair, measured, strict=True):
                runs[side_name].append(tuple(figures_of_run))
            on_pair(number, runs["ours"][-1][0] / runs["theirs"][-1][0])
    figures = tuple(
        _compared(figure, [run[i] for run in runs["ours"]], [run[i] for run in runs["theirs"]])
        for i, figure in enumerate(question.figures)
    )
    first = figures[0]
    return Comparison(
        name=question.name,
        question=question.question,
        what=first.what,
        unit=first.unit,
        ours=first.ours,
        theirs=first.theirs,
        ratio=first.ratio,
        low=first.low,
        high=first.high,
        coverage=paired_ratio(first.runs_ours, first.runs_theirs).coverage,
        pairs=pairs,
        order=tuple(side for pair in order for side in pair),
        cpu=Processor(
            model=machine.cpu,
            instruction_sets=machine.instruction_sets,
            cores=machine.cores,
            threads=threads,
        ),
        machine=machine,
        commits={side: checkout.commit for side, checkout in checkouts.items()},
        pythons={side: checkout.python_version for side, checkout in checkouts.items()},
        quick=quick,
        sizes=question.sizes,
        figures=figures,
    )


def _compared(figure: Figure, ours: list[float], theirs: list[float]) -> ComparedFigure:
    ratio = paired_ratio(ours, theirs)
    return ComparedFigure(
        what=figure.what,
        unit=figure.unit,
        ours=median(ours),
        theirs=median(theirs),
        ratio=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        runs_ours=tuple(ours),
        runs_theirs=tuple(theirs),
    )
