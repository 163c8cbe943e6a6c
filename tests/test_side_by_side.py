"""Benchmarks side by side: order, arithmetic, the other checkout kept apart, and small real runs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
import structlog
import typer
from click.testing import Result
from rich.console import Console
from strange_checkout import calls_of, strange_checkout
from typer.testing import CliRunner
from waiting import eventually

from benchmarks.__main__ import main
from benchmarks.against.checkout import Checkout
from benchmarks.against.comparison import compare
from benchmarks.against.errors import CheckoutError, CommandError, QuestionError
from benchmarks.against.ingest_question import QUICK_TURNS, IngestQuestion
from benchmarks.against.leash import LeashedCommand
from benchmarks.against.lookup_question import LookupQuestion
from benchmarks.against.mining_question import MiningQuestion
from benchmarks.against.online_question import OnlineQuestion
from benchmarks.against.paired_ratio import paired_ratio, run_order
from benchmarks.against.question import Figure
from benchmarks.against.questions import SIDE_BY_SIDE, question_of
from benchmarks.against.side import RunningCommand, Side, SideName
from benchmarks.process_tree import cpu_ns, is_running
from benchmarks.report import Cell
from services.simulator import generate_turns
from streams.turn import encode_turn

ROOT = Path(__file__).parents[1]


# Order and arithmetic


def test_sides_run_in_the_order_a_b_b_a() -> None:
    assert run_order(4) == (
        ("ours", "theirs"),
        ("theirs", "ours"),
        ("ours", "theirs"),
        ("theirs", "ours"),
    )


def test_a_ratio_is_the_median_of_the_ratios_of_pairs() -> None:
    found = paired_ratio([10, 30, 99], [10, 10, 11])  # 1, 3 and 9; that of the medians would be 30 / 10 too
    assert (found.ratio, found.low, found.high) == (3, 1, 9)
    found = paired_ratio([10, 20, 300], [10, 5, 100])  # 1, 4 and 3; that of the medians would be 2
    assert found.ratio == 3


def test_the_interval_leaves_out_extremes_as_soon_as_enough_pairs_allow_it() -> None:
    theirs = [1.0] * 9
    seven = paired_ratio([7, 1, 6, 2, 5, 3, 4], theirs[:7])
    assert (seven.low, seven.ratio, seven.high) == (1, 4, 7)
    assert seven.coverage == pytest.approx(1 - 2 / 2**7)
    nine = paired_ratio([9, 1, 8, 2, 7, 3, 6, 4, 5], theirs)
    assert (nine.low, nine.ratio, nine.high) == (2, 5, 8)
    assert nine.coverage == pytest.approx(1 - 2 * (1 + 9) / 2**9)


def test_few_pairs_have_an_interval_that_admits_how_little_it_says() -> None:
    found = paired_ratio([1, 2], [1, 1])
    assert (found.low, found.ratio, found.high, found.coverage) == (1, 1.5, 2, 0.5)


@pytest.mark.parametrize(("ours", "theirs"), [([], []), ([1.0], [0.0]), ([1.0, 2.0], [1.0])])
def test_without_comparable_pairs_there_is_no_ratio(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"give pairs|argument 2 is shorter"):
        paired_ratio(ours, theirs)


# A comparison


class ScriptedQuestion:
    """Each side has its figures ready; who was asked is noted."""

    name = "scripted"
    question = "how much?"
    figures = (Figure(what="CPU", unit="seconds"), Figure(what="by the clock", unit="seconds"))

    def __init__(self, ours: Sequence[float], theirs: Sequence[float]) -> None:
        self._values: dict[SideName, Iterator[float]] = {"ours": iter(ours), "theirs": iter(theirs)}
        self.asked: list[SideName] = []
        self.prepared: list[SideName] = []
        self.folders: set[Path] = set()

    @property
    def sizes(self) -> dict[str, Cell]:
        return {"prepared": len(self.prepared)}

    def prepare(self, sides: Sequence[Side]) -> None:
        self.prepared = [side.name for side in sides]

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        assert all(side.folder.is_dir() for side in sides)
        self.folders |= {side.folder for side in sides}
        self.asked += [side.name for side in sides]
        values = [next(self._values[side.name]) for side in sides]
        return [(value, 10 * value) for value in values]


@pytest.fixture(scope="module")
def ours() -> Checkout:
    return Checkout.ours()


def test_a_comparison_asks_in_turn_and_writes_both_sides_their_ratio_and_the_processor(
    ours: Checkout, tmp_path: Path
) -> None:
    question = ScriptedQuestion([2, 6, 4], [1, 2, 4])
    ratios: list[tuple[int, float]] = []
    comparison = compare(question, ours, ours, pairs=3, threads=2, on_pair=lambda *pair: ratios.append(pair))
    assert question.prepared == ["ours", "theirs"]
    assert question.asked == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert ratios == [(1, 2), (2, 3), (3, 1)]
    assert len(question.folders) == 2
    assert not any(folder.exists() for folder in question.folders)
    path = comparison.write(tmp_path / "out")
    assert path == tmp_path / "out" / "scripted.json"
    written = json.loads(path.read_text())
    assert {name: written[name] for name in ("ours", "theirs", "ratio", "low", "high", "pairs")} == {
        "ours": 4,
        "theirs": 2,
        "ratio": 2,
        "low": 1,
        "high": 3,
        "pairs": 3,
    }
    assert written["order"] == question.asked
    assert written["unit"] == "seconds"
    assert written["cpu"]["threads"] == 2
    assert written["cpu"]["cores"] >= 1
    assert written["cpu"]["model"]
    assert isinstance(written["cpu"]["instruction_sets"], list)
    assert set(written["commits"]) == {"ours", "theirs"}
    assert written["sizes"] == {"prepared": 2}
    first, second = written["figures"]
    assert (first["runs_ours"], first["runs_theirs"]) == ([2, 6, 4], [1, 2, 4])
    assert (second["ours"], second["theirs"], second["ratio"]) == (40, 20, 2)


def test_a_comparison_is_shown_with_the_processor_and_the_chance_of_its_interval(ours: Checkout) -> None:
    console = Console(record=True, width=400, file=open(os.devnull, "w"))
    comparison = compare(ScriptedQuestion([2, 6], [1, 2]), ours, ours, pairs=2)
    comparison.show(console)
    console.file.close()
    shown = console.export_text()
    assert comparison.machine.processor in shown
    assert "with a chance of 50.0%" in shown


def test_one_pair_is_refused(ours: Checkout) -> None:
    with pytest.raises(QuestionError, match="at least 2"):
        compare(ScriptedQuestion([1], [1]), ours, ours, pairs=1)


def test_questions_that_only_this_checkout_can_answer_are_refused() -> None:
    assert [question_of(name, quick=True).name for name in SIDE_BY_SIDE] == list(SIDE_BY_SIDE)
    with pytest.raises(QuestionError, match="start, mining, ingest, lookup, online"):
        question_of("vectors", quick=True)


def test_states_for_online_come_in_twos_and_with_a_log(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="both --state-ours and --state-theirs"):
        question_of("online", True, (tmp_path, None), tmp_path / "turns.jsonl")
    with pytest.raises(QuestionError, match="together"):
        question_of("online", True, (tmp_path, tmp_path), None)


# Another checkout


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckoutError, match="is no checkout of Rehear"):
        Checkout.at(tmp_path)


@pytest.mark.parametrize("missing", ["python", "rehear"])
def test_a_checkout_without_an_environment_of_its_own_is_refused(tmp_path: Path, missing: str) -> None:
    strange_checkout(tmp_path)
    (tmp_path / ".venv" / "bin" / missing).unlink()
    with pytest.raises(CheckoutError, match=f"run `make install` in {tmp_path}"):
        Checkout.at(tmp_path)


def test_an_environment_that_would_run_the_code_of_another_folder_is_refused(tmp_path: Path) -> None:
    strange_checkout(tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
    with pytest.raises(CheckoutError, match="and not that of"):
        Checkout.at(tmp_path)


def test_another_checkout_is_run_by_its_command_and_never_imported(
    ours: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHEAR_STATE", "of the caller")
    folder = strange_checkout(tmp_path / "strange")
    theirs = Checkout.at(folder)
    comparison = compare(MiningQuestion(turns=10), theirs, theirs, pairs=2)
    assert comparison.theirs > 0
    calls = calls_of(folder)
    assert [call["arguments"][0] for call in calls] == ["learn"] * 4
    for call in calls:
        assert call["arguments"][-4:] == ["--no-rephrases", "--no-labels", "--no-failures", "--no-online"]
        assert call["settings"] == ["OMP_NUM_THREADS"]
        assert call["pid"] != os.getpid()
    loaded = [getattr(module, "__file__", None) or "" for module in list(sys.modules.values())]
    assert not [file for file in loaded if file.startswith(str(folder))]
    assert not [entry for entry in sys.path if entry.startswith(str(folder))]


@pytest.fixture
def run() -> Iterator[Callable[..., Result]]:
    """Runs `python -m benchmarks` in this process, whose logging it leaves as it was."""
    logging = structlog.get_config()
    app = typer.Typer()
    app.command()(main)
    yield lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])
    structlog.configure(**logging)


def test_the_command_compares_this_checkout_with_another_one(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    folder, out = strange_checkout(tmp_path / "strange"), tmp_path / "out"
    done = run("mining", "--quick", "--pairs", 2, "--against", folder, "--out", out)
    assert done.exit_code == 0, done.output
    written = json.loads((out / "mining.json").read_text())
    assert written["pairs"] == 2
    assert written["ratio"] > 1  # the other one learns nothing
    assert len(calls_of(folder)) == 2


def test_the_command_says_what_is_wrong_with_another_checkout(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run("mining", "--against", tmp_path)
    assert done.exit_code == 1
    assert "is no checkout of Rehear" in done.output


def test_a_start_is_only_measured_against_another_checkout(run: Callable[..., Result]) -> None:
    done = run("start")
    assert done.exit_code == 2
    assert "--against" in done.output


# Real questions, of one side


@pytest.fixture(scope="module")
def side(ours: Checkout, tmp_path_factory: pytest.TempPathFactory) -> Side:
    return Side(name="ours", checkout=ours, folder=tmp_path_factory.mktemp("side"))


def test_lookups_are_asked_of_a_server_that_has_learned_the_log_and_cost_it_cpu(
    side: Side, tmp_path: Path
) -> None:
    question = LookupQuestion(turns=3_000, count=200)
    question.prepare([side])
    ((cpu_us, p50_ms, p99_ms),) = question.measure([side])
    assert question.sizes["texts both rewrite"] > 10
    assert question.sizes["texts only one rewrites"] == 0
    assert cpu_us > 0
    assert 0 < p50_ms <= p99_ms
    # The same state, given: what is served is a copy.
    log = tmp_path / "turns.jsonl"
    log.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in generate_turns(300)))
    state = side.folder / "state"
    before = (state / "rehear.db").read_bytes()
    online = OnlineQuestion({"ours": state}, log)
    online.prepare([side])
    assert 0 < float(str(online.sizes["rewritten by ours"]).rstrip("%")) < 100
    assert (state / "rehear.db").read_bytes() == before


def test_the_sessions_worker_of_a_side_reads_a_broker(side: Side) -> None:
    ((cpu_us,),) = IngestQuestion(QUICK_TURNS).measure([side])
    assert cpu_us > 0


def test_a_worker_that_reads_nothing_is_not_taken_for_a_cheap_one(tmp_path: Path) -> None:
    idle = Checkout.at(strange_checkout(tmp_path / "strange"))
    side = Side(name="theirs", checkout=idle, folder=tmp_path)
    with pytest.raises(QuestionError, match="theirs: the sessions worker ended without"):
        IngestQuestion(turns=5).measure([side])


def test_a_command_that_fails_is_shown_with_what_it_printed(side: Side) -> None:
    with pytest.raises(CommandError, match=r"ours: rehear learn --turns /nowhere.* status 1"):
        side.run("learn", "--turns", "/nowhere", "--state", str(side.folder / "none"))


# Processes


def _leashed(code: str, folder: Path) -> LeashedCommand:
    return LeashedCommand(
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        folder=str(folder),
        log_file=str(folder / "log"),
    )


# A child in a session of its own uses some CPU.
_BURNING_GRANDCHILD = """
import subprocess, sys
subprocess.run([sys.executable, "-c", '''
import time
while time.process_time() < 0.4:
    pass
'''], start_new_session=True)
"""


def test_the_cpu_of_a_command_is_that_of_all_that_it_has_started(tmp_path: Path) -> None:
    with RunningCommand("burning", _leashed(_BURNING_GRANDCHILD, tmp_path)) as running:
        ended = running.wait()
    assert ended.status == 0
    assert ended.cpu_s >= 0.4
    assert ended.seconds > 0


def test_the_cpu_of_a_process_counts_threads_that_have_ended() -> None:
    code = (
        "import threading, time\n"
        "def burn():\n    while time.thread_time() < 0.3: pass\n"
        "thread = threading.Thread(target=burn); thread.start(); thread.join()\n"
        "print('done', flush=True); input()\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "done\n"
        assert cpu_ns([child.pid])[child.pid] >= 0.3e9
    finally:
        child.communicate("\n")
    assert cpu_ns([child.pid]) == {}


_STUBBORN = """
import os, pathlib, signal, subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(10_000)"
child = subprocess.Popen([sys.executable, "-c", deaf], start_new_session=True)
pathlib.Path("pids.part").write_text(f"{os.getpid()} {child.pid}")
os.rename("pids.part", "pids")
time.sleep(10_000)
"""

_OWNER = """
import os, sys, pathlib
from benchmarks.against.leash import LeashedCommand
from benchmarks.against.side import RunningCommand
code, folder = sys.argv[1:]
command = [sys.executable, "-c", code]
log = folder + "/log"
command = LeashedCommand(command=command, environment=dict(os.environ), folder=folder, log_file=log)
RunningCommand("stubborn", command).wait()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_all_that_a_command_has_started_ends_when_the_benchmark_is_killed(
    tmp_path: Path, end: signal.Signals
) -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER, _STUBBORN, str(tmp_path)], cwd=ROOT)
    pids: list[int] = []
    try:
        eventually((tmp_path / "pids").exists, "the command's start")
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        assert all(map(is_running, pids))
        owner.send_signal(end)
        owner.wait()
        eventually(lambda: not any(map(is_running, pids)), "the end of the command")
    finally:
        owner.kill()
        owner.wait()
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_a_command_that_ends_before_it_is_ready_is_told(tmp_path: Path) -> None:
    with (
        RunningCommand("short", _leashed("print('why')", tmp_path)) as running,
        pytest.raises(CommandError, match="short ended before it was ready:\nwhy"),
    ):
        running.wait_until(lambda: False)
