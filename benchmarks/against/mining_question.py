"""How much CPU does `rehear learn` take for a turn, from a log to the rewrite table?"""

import shutil
from collections.abc import Sequence

from benchmarks.against.log_file import TABLE_ONLY, write_log
from benchmarks.against.question import Figure
from benchmarks.against.side import Side
from benchmarks.report import Cell
from services.simulator import generate_turns

TURNS = 50_000
"""Some five CPU seconds: the start of the command, which is in the figure, is then a fourth of it."""

QUICK_TURNS = 500


class MiningQuestion:
    """`rehear learn` on a generated log into an empty state, the rewrite table alone.

    Args:
        turns: of the log.
    """

    name = "mining"
    question = "how much CPU does `rehear learn` take for a turn, from a log to the rewrite table?"
    figures = (
        Figure(what="CPU of rehear learn, start included", unit="microseconds per turn"),
        Figure(what="by the clock", unit="microseconds per turn"),
    )

    def __init__(self, turns: int = TURNS) -> None:
        self._turns = turns

    @property
    def sizes(self) -> dict[str, Cell]:
        """How long the log is."""
        return {"turns": self._turns}

    def prepare(self, sides: Sequence[Side]) -> None:
        """Writes the log, once for each side."""
        for side in sides:
            write_log(generate_turns(self._turns), side.folder / "turns.jsonl")

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """Learns it: one side after the other."""
        return [self._learn(side) for side in sides]

    def _learn(self, side: Side) -> Sequence[float]:
        state = side.folder / "state"
        log = side.folder / "turns.jsonl"
        ended = side.run("learn", "--turns", str(log), "--state", str(state), *TABLE_ONLY)
        shutil.rmtree(state)
        return ended.cpu_s / self._turns * 1e6, ended.seconds / self._turns * 1e6
