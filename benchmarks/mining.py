"""Does mining stay near linear, and within 8 GB, up to 10 million turns?"""

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from benchmarks.log_windows import sessions_of
from benchmarks.machine import GIB, this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import BenchmarkReport, Cell
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import session_steps
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from services.simulator import GeneratedLogSettings, generate_turns
from streams.turn import AssistantId, TurnEvent, encode_turn

QUESTION = "does mining stay near linear, and within 8 GB, up to 10 million turns?"
SIZES = (1_000_000, 3_000_000, 10_000_000)
QUICK_SIZES = (3_000, 10_000)
DATABASE_TURNS = 1_000_000
QUICK_DATABASE_TURNS = 3_000


def run(quick: bool) -> BenchmarkReport:
    """Mines generated logs of growing length, each in a process of its own."""
    machine = this_machine()
    sizes = QUICK_SIZES if quick else SIZES
    database_turns = QUICK_DATABASE_TURNS if quick else DATABASE_TURNS
    rows = [_row("in memory", n_turns, mine_in_memory) for n_turns in sizes]
    for row in rows:
        growth = (row["us per turn"] or 1) / (rows[0]["us per turn"] or 1)  # type: ignore[operator] # numbers
        row["per turn, against the first"] = growth
    rows.append(_row("through SQLite", database_turns, mine_through_database))
    return BenchmarkReport(
        name="mining",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={"turns": ", ".join(f"{size:,}" for size in sizes), "users": GeneratedLogSettings().users},
        figures=tuple(rows),
        notes=(
            "Generating (in memory) or reading (through SQLite) the turns is not part of `seconds`; "
            "`peak GiB` is of the whole process.",
        ),
    )


def mine_in_memory(n_turns: int) -> dict[str, Cell]:
    """Sessions, steps, counts and the solution, with nothing stored."""
    settings = GeneratedLogSettings()
    miner = ChainMiner(AssistantId(settings.assistant_id), ChainSettings())
    turns = _TimedTurns(generate_turns(n_turns, settings))
    n_sessions = 0
    started = time.perf_counter()
    for session in sessions_of(turns):
        miner.touch(miner.counts.add(session_steps(session)))
        n_sessions += 1
    counted = time.perf_counter()
    miner.solve()
    solved = time.perf_counter()
    return {
        "sessions": n_sessions,
        "texts": len(miner.counts.texts),
        "states": len(miner.counts.interpretations),
        "rewrites": len(miner.rewrites),
        "count s": counted - started - turns.seconds,
        "solve s": solved - counted,
        "seconds": solved - started - turns.seconds,
    }


def mine_through_database(n_turns: int) -> dict[str, Cell]:
    """What `rehear learn` does: turns from a file, sessions, steps and rewrites into SQLite."""
    settings = GeneratedLogSettings()
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as folder:
        log = Path(folder) / "turns.jsonl"
        with log.open("wb") as file:
            file.writelines(encode_turn(turn) + b"\n" for turn in generate_turns(n_turns, settings))
        engine = open_database(Path(folder) / "rehear.db")
        started = time.perf_counter()
        summary = learn_from_files(engine, Settings(), [log], now_ms)
        seconds = time.perf_counter() - started
        engine.dispose()
        stored = (Path(folder) / "rehear.db").stat().st_size
    return {"rewrites": summary.live_rewrites, "seconds": seconds, "database GiB": stored / GIB}


def _row(path: str, n_turns: int, mine: Callable[[int], dict[str, Cell]]) -> dict[str, Cell]:
    measured = in_process(mine, n_turns)
    seconds = measured.value["seconds"]
    return {
        "path": path,
        "turns": n_turns,
        **measured.value,
        "us per turn": seconds / n_turns * 1e6,
        "peak GiB": measured.peak_bytes / GIB,
    }


class _TimedTurns:
    """Turns, and the seconds that making them has taken."""

    def __init__(self, turns: Iterable[TurnEvent]) -> None:
        self.seconds = 0.0
        self._turns = iter(turns)

    def __iter__(self) -> Iterator[TurnEvent]:
        return self

    def __next__(self) -> TurnEvent:
        started = time.perf_counter()
        try:
            return next(self._turns)
        finally:
            self.seconds += time.perf_counter() - started
