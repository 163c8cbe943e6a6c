"""The benchmarks run, at small sizes: what their figures are is nobody's business here."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Reports = dict[str, dict[str, Any]]

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    out = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-m", "benchmarks", "--quick", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}


def test_every_benchmark_says_what_it_measured_and_where(reports: Reports) -> None:
    assert sorted(reports) == [
        "failures",
        "fundamental",
        "ingest",
        "labels",
        "lookup",
        "mining",
        "online",
        "rephrases",
        "vectors",
    ]
    for report in reports.values():
        assert report["quick"]
        assert report["machine"]["cores"] >= 1
        assert report["sizes"]
        assert report["figures"]


def test_mining_in_memory_and_through_sqlite_find_as_much(
    reports: Reports,
) -> None:
    rows = {(row["path"], row["turns"]): row for row in reports["mining"]["figures"]}
    assert rows["in memory", 3_000]["rewrites"] == rows["through SQLite", 3_000]["rewrites"] > 0
    assert all(row["peak GiB"] > 0 for row in rows.values())


def test_the_chain_is_solved_as_by_the_dense_inverse(reports: Reports) -> None:
    for row in reports["fundamental"]["figures"]:
        assert row["difference"] < 1e-6


def test_bare_loops_and_workers_read_every_turn(reports: Reports) -> None:
    n_turns = reports["ingest"]["sizes"]["turns"]
    rows = reports["ingest"]["figures"]
    assert [row["reader"] for row in rows] == ["bare loop", "sessions worker"] * 2
    for row in rows:
        assert row["records"] >= n_turns  # a batch that two workers had begun is counted by both
        assert row["records/s"] > 0


def test_the_lookup_api_answers_all_requests(reports: Reports) -> None:
    for row in reports["lookup"]["figures"]:
        assert row["failures"] == 0
        assert 0 < row["p50 ms"] <= row["p99 ms"]


def test_the_index_finds_nearly_all_of_the_nearest(reports: Reports) -> None:
    for row in reports["vectors"]["figures"]:
        assert row["recall@10"] > 0.9
        assert row["index MiB"] > row["entries"] * row["dimensions"] * 2 / 2**20
        assert 0 < row["p50 ms"] <= row["p99 ms"]


def test_requests_are_rewritten_online_within_their_time(reports: Reports) -> None:
    report = reports["online"]
    assert report["sizes"]["requests known"] == 2_000
    rows = [row for row in report["figures"] if row["endpoint"] == "/v1/rewrite"]
    assert rows
    for row in rows:
        assert row["failures"] == 0
        assert 0 < row["p50 ms"] <= row["p99 ms"]
        assert row["asked online"] > 0.9
        assert all(row[f"{stage} ms"] > 0 for stage in ("history", "encode", "search", "gather", "judge"))


def test_all_readers_of_rephrases_read_all_dialogues(reports: Reports) -> None:
    report = reports["rephrases"]
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
def test_models_read_all_dialogues_with_8_bits_as_with_32(reports: Reports, work: str) -> None:
    report = reports[work]
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
