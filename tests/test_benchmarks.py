"""The benchmarks run, at small sizes and from tiny models: how fast they are is nobody's business here.

Most run in this process, which has loaded torch anyway; in their own, each would load it again.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from tiny_encoder import write_tiny_base
from waiting import HANGS_AFTER_S, eventually

from benchmarks import ingest, online
from benchmarks.machine import described_processor, this_machine
from benchmarks.measured_process import in_process, in_this_process
from benchmarks.process_tree import is_running
from services.platform.database import open_database
from services.settings import Settings
from services.simulator import generate_turns
from streams.kafka_settings import KafkaSettings
from streams.topics import ensure_topics

Report = dict[str, Any]
Run = Callable[..., Report]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", ["play", "song"], positions=400))


class ExportsOnce:
    """The exporter, which takes most of the time; what it has made of a model once is given again.

    Benchmarks export each trained model twice, and only then with 8 bits and with 32.
    """

    def __init__(self, export: Callable[..., Any]) -> None:
        self._export = export
        self._made: dict[object, Any] = {}

    def __call__(self, model: torch.nn.Module, arguments: object, **options: Any) -> Any:
        key = (type(model), *options["input_names"])
        if key not in self._made:
            self._made[key] = self._export(model, arguments, **options)
        return self._made[key]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a benchmark at small sizes, its parts in this process, and gives its report as it is written."""
    threads = torch.get_num_threads()
    monkeypatch.setattr(torch.onnx, "export", ExportsOnce(torch.onnx.export))

    def run_in_this_process(name: str, *arguments: object, **options: object) -> Report:
        module = importlib.import_module(f"benchmarks.{name}")
        if hasattr(module, "in_process"):
            monkeypatch.setattr(module, "in_process", in_this_process)
        report = module.run(True, *arguments, **options)
        assert report.name == name
        built: Report = json.loads(msgspec.json.encode(report))
        assert built["quick"]
        assert built["machine"]["cores"] >= 1
        assert built["sizes"]
        assert built["figures"]
        return built

    yield run_in_this_process
    torch.set_num_threads(threads)


def _in_threads(number: int, read: Callable[..., ingest.Reading], settings: object) -> list[ingest.Reading]:
    """As `in_processes`, in threads of this process: quicker, and their CPU is that of all of them."""
    barrier = get_context("spawn").Barrier(number)
    with ThreadPoolExecutor(number) as threads:
        readers = [threads.submit(read, settings, i, number, barrier) for i in range(number)]
        return [reader.result(HANGS_AFTER_S) for reader in readers]


def test_mining_in_memory_and_through_sqlite_find_as_much(run: Run) -> None:
    rows = {(row["path"], row["turns"]): row for row in run("mining")["figures"]}
    assert rows["in memory", 3_000]["rewrites"] == rows["through SQLite", 3_000]["rewrites"] > 0
    assert all(row["peak GiB"] > 0 for row in rows.values())


def test_the_chain_is_solved_as_by_the_dense_inverse(run: Run) -> None:
    for row in run("fundamental")["figures"]:
        assert row["difference"] < 1e-6


def test_accounts_without_ordinary_use_plant_nothing_but_what_sounds_alike(run: Run, tmp_path: Path) -> None:
    rows = run("planting", tmp_path)["figures"]
    assert (tmp_path / "planting.svg").read_bytes().startswith(b"<?xml")
    for row in rows:
        is_live = row["1 session"] != f"over {10 if row['days'] == 0 else row['honest'] + 40}"
        assert is_live == (row["days"] > 0 or row["target"].startswith("alike"))
        assert row["5 sessions"] == row["1 session"]


def test_bare_loops_and_workers_read_every_turn(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "in_processes", _in_threads)
    report = run("ingest")
    n_turns = report["sizes"]["turns"]
    rows = report["figures"]
    assert [row["reader"] for row in rows] == ["bare loop", "sessions worker"] * 2
    for row in rows:
        assert row["records"] >= n_turns  # a batch that two workers had begun is counted by both
        assert row["records/s"] > 0
        assert 1 <= row["readers"] <= row["processes"]


def test_two_processes_share_the_partitions_of_a_topic(kafka_settings: KafkaSettings) -> None:
    ensure_topics(kafka_settings, ingest.PARTITIONS)
    ingest.produce_turns(kafka_settings, generate_turns(400))
    readings = ingest.in_processes(2, ingest.read_bare, kafka_settings)
    assert sum(reading.records for reading in readings) == 400
    assert all(0 < reading.records < 400 for reading in readings)


def test_a_worker_that_gets_no_partition_keeps_no_other_one_waiting(
    kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    """As on a busy machine, where one has all partitions before the other is part of the group."""
    ensure_topics(kafka_settings, 1)
    ingest.produce_turns(kafka_settings, generate_turns(100))
    settings = Settings(kafka=kafka_settings, database=str(tmp_path / "rehear.db"))
    open_database(settings.database_location).dispose()
    readings = _in_threads(2, ingest.read_sessions, settings)  # one partition, two workers
    assert sorted(reading.records for reading in readings) == [0, 100]


def test_the_lookup_api_answers_all_requests(run: Run) -> None:
    for row in run("lookup")["figures"]:
        assert row["failures"] == 0
        assert 0 < row["p50 ms"] <= row["p99 ms"]


def test_the_index_finds_nearly_all_of_the_nearest(tmp_path: Path) -> None:
    """By its command, in processes of its own."""
    command = [sys.executable, "-m", "benchmarks", "vectors", "--quick", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "vectors.json").read_text())
    assert report["figures"]
    for row in report["figures"]:
        assert row["recall@10"] > 0.9
        assert row["index MiB"] > row["entries"] * row["dimensions"] * 2 / 2**20
        assert 0 < row["p50 ms"] <= row["p99 ms"]
    shown = " ".join(done.stdout.split())
    assert this_machine().processor in shown


def test_requests_are_worked_out_online_where_time_allows_it(run: Run, base: str) -> None:
    report = run("online", base=base)
    assert report["sizes"]["requests known"] == 2_000
    rows = [row for row in report["figures"] if row["endpoint"] == "/v1/rewrite"]
    assert rows
    for row in rows:
        assert row["failures"] == 0
        assert 0 < row["p50 ms"] <= row["p99 ms"]
    (uncut,) = (row for row in rows if row["budget ms"] == online.UNCUT_MS)
    assert uncut["asked online"] > 0.9
    assert uncut["out of time"] == 0
    assert all(uncut[f"{stage} ms"] > 0 for stage in ("history", "encode", "search", "gather", "judge"))


def test_all_readers_of_rephrases_read_all_dialogues(run: Run, base: str) -> None:
    report = run("rephrases", base=base)
    rows = report["figures"]
    readers = ["span model", "span model, 8 bits", "cross-encoder", "cross-encoder, 8 bits"]
    assert [(row["processes"], row["reader"]) for row in rows] == [
        (processes, reader) for processes in (1, 2) for reader in readers
    ]
    for row in rows:
        assert row["turns/s"] > row["dialogues/s"] > 0
        assert (row["time"] == 1) == (row["reader"] == "span model")
    sizes = report["sizes"]
    assert sizes["pairs"] > sizes["requests with candidates"] > sizes["dialogues"]
    assert sizes["examples/s in training"] > 0
    assert 0 < sizes["scores move with 8 bits"] < 0.1


@pytest.mark.parametrize("work", ["labels", "failures"])
def test_models_read_all_dialogues_with_8_bits_as_with_32(run: Run, base: str, work: str) -> None:
    report = run(work, base=base)
    assert [row["work"] for row in report["figures"]] == [
        f"{work}, 8 bits",
        f"{work}, 32 bits",
        "bare transformer in torch",
        "training on cpu",
    ]
    for row in report["figures"]:
        assert row["turns/s"] > 0
        assert (row["time"] == 1) == (row["work"] == "bare transformer in torch")
    (moved,) = (value for name, value in report["sizes"].items() if name.endswith("move with 8 bits"))
    assert 0 < moved < 0.1
    assert report["sizes"]["MiB in training"] > 0


def test_a_function_in_a_process_of_its_own_answers_with_its_memory() -> None:
    measured = in_process(os.getppid)
    assert measured.value == os.getpid()
    assert measured.peak_bytes > 1_000_000


def test_a_process_of_a_benchmark_ends_when_the_benchmark_is_killed() -> None:
    owner = subprocess.Popen([sys.executable, "-c", _OWNER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    try:
        assert is_running(child)
        owner.kill()
        owner.wait()
        eventually(lambda: not is_running(child), "the end of the child")
    finally:
        owner.kill()
        owner.stdout.close()
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


# What the process of `in_process` runs prints its id and never ends by itself.
_OWNER = """
from benchmarks.measured_process import in_process
in_process(exec, "import os, time; print(os.getpid(), flush=True); time.sleep(10_000)")
"""


def test_a_processor_is_named_with_its_model_and_the_instruction_sets_that_matter() -> None:
    x86 = "cpu family\t: 6\nmodel\t\t: 207\nmodel name\t: A Processor\nflags\t\t: fpu avx2 amx_int8\n"
    assert described_processor(x86) == ("A Processor, family 6 model 207", ("avx2", "amx_int8"))
    arm = "processor\t: 0\nFeatures\t: fp asimd sve\n"
    assert described_processor(arm) == (None, ("asimd", "sve"))
    assert described_processor("") == (None, ())


def test_where_no_instruction_sets_are_listed_a_report_says_so() -> None:
    machine = msgspec.structs.replace(this_machine(), cpu="Some Chip", instruction_sets=())
    assert machine.processor == "Some Chip (instruction sets not known)"
