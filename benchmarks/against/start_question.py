"""How much CPU, and how long, does a start take: of the server until it is ready, and of `rehear --help`?"""

import time
from collections.abc import Sequence

from benchmarks.against.log_file import learn_table, write_log
from benchmarks.against.question import Figure
from benchmarks.against.serving import serving
from benchmarks.against.side import Side
from benchmarks.report import Cell
from services.simulator import generate_turns

TURNS = 2_000


class StartQuestion:
    """`rehear serve` on a small table until `/readyz` says so, and `rehear --help`."""

    name = "start"
    question = "how much CPU, and how long, does a start take: of `rehear serve`, and of `rehear --help`?"
    figures = (
        Figure(what="CPU of rehear serve until it is ready", unit="milliseconds"),
        Figure(what="the same by the clock", unit="milliseconds"),
        Figure(what="CPU of rehear --help", unit="milliseconds"),
        Figure(what="the same by the clock", unit="milliseconds"),
    )
    sizes: dict[str, Cell] = {"turns learned from": TURNS}  # noqa: RUF012 (never changed)

    def prepare(self, sides: Sequence[Side]) -> None:
        """Learns a small table, and runs each command once, so that all modules are compiled."""
        for side in sides:
            log = side.folder / "turns.jsonl"
            write_log(generate_turns(TURNS), log)
            learn_table(side, log, side.folder / "state")
            self._start(side)

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """Starts both once: one side after the other."""
        return [self._start(side) for side in sides]

    def _start(self, side: Side) -> Sequence[float]:
        began = time.perf_counter()
        with serving(side, side.folder / "state") as server:
            ready_s = time.perf_counter() - began
            cpu_s = sum(server.command.cpu_ns().values()) / 1e9
        shown = side.run("--help")
        return cpu_s * 1e3, ready_s * 1e3, shown.cpu_s * 1e3, shown.seconds * 1e3
