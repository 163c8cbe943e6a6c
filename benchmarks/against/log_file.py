"""Logs that both sides read, as files, and what they are: written once, by this checkout."""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.against.side import Side
from streams.turn import TurnEvent, encode_turn

TABLE_ONLY = ("--no-rephrases", "--no-labels", "--no-failures", "--no-online")
"""Options of `rehear learn` with which only the rewrite table is learned, and no model trained."""


def write_log(turns: Iterable[TurnEvent], path: Path) -> int:
    """Writes turns as JSON Lines, and gives their number."""
    count = 0
    with path.open("wb") as file:
        for turn in turns:
            file.write(encode_turn(turn) + b"\n")
            count += 1
    return count


def learn_table(side: Side, log: Path, state: Path) -> float:
    """Learns the rewrite table of a log into a state, and gives the CPU seconds that it took."""
    return side.run("learn", "--turns", str(log), "--state", str(state), *TABLE_ONLY).cpu_s
