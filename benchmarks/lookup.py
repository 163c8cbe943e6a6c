"""How fast is the lookup API at a million live rewrites, beside an empty endpoint of its server?"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from benchmarks.http_load import Load, http_request, send_load
from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell, percentile
from benchmarks.server_memory import server_memory
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.messages import RewriteQuery
from services.lookup_api.server import BackgroundServer
from services.platform.api_settings import LookupApiSettings
from services.platform.clock import now_ms
from services.platform.database import open_database
from streams.stores.database_schema import chunks
from streams.turn import AssistantId

QUESTION = "how fast is the lookup API at a million live rewrites, beside an empty endpoint of its server?"
ROWS = 1_000_000
QUICK_ROWS = 2_000
SECONDS = 10.0
QUICK_SECONDS = 0.4
CONNECTIONS = (1, 4, 16, 64)
QUICK_CONNECTIONS = (2,)
OPEN_LOOP_RATE = 50.0
OPEN_LOOP_CONNECTIONS = 8
TEXTS_ASKED = 5_000
MISS_SHARE = 5  # one in so many requests has no rewrite

ROWS_PER_CHANGE = 50_000
START_TIMEOUT_S = 300.0
ASSISTANT = AssistantId("bench-assistant")

_ROOMS = ("kitchen", "bedroom", "hall", "study", "garage", "garden", "attic", "bathroom")


def run(quick: bool) -> BenchmarkReport:
    """Fills a table, starts the server, and asks it from another process."""
    machine = this_machine()
    n_rows = QUICK_ROWS if quick else ROWS
    seconds = QUICK_SECONDS if quick else SECONDS
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        database = Path(name) / "rehear.db"
        open_database(database).dispose()
        empty_bytes, _ = _empty_memory(database)
        write_seconds = _fill(database, n_rows)
        settings = LookupApiSettings(port=0, stale_after_s=60.0)
        started = time.monotonic()
        with BackgroundServer(settings, str(database), start_timeout_s=START_TIMEOUT_S) as server:
            load_seconds = time.monotonic() - started
            full_bytes, peak_bytes = server_memory(server)
            address = urlsplit(server.url)
            host, port = address.hostname or "", address.port or 0
            requests = {
                "/healthz": (http_request("GET", "/healthz", host),),
                "/v1/rewrite": tuple(_requests(host, n_rows)),
            }
            for connections in QUICK_CONNECTIONS if quick else CONNECTIONS:
                for path, ready in requests.items():
                    load = Load(host, port, ready, connections, seconds)
                    rows.append({"endpoint": path, "load": "closed loop", **_measure(load)})
            for path, ready in requests.items():
                load = Load(host, port, ready, OPEN_LOOP_CONNECTIONS, seconds, OPEN_LOOP_RATE)
                rows.append({"endpoint": path, "load": f"{OPEN_LOOP_RATE:g}/s", **_measure(load)})
    return BenchmarkReport(
        name="lookup",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "live rewrites": n_rows,
            "server processes": settings.workers,
            "seconds per run": seconds,
            "rows written/s": n_rows / write_seconds,
            "start to ready s": load_seconds,
            "server MiB": full_bytes / MIB,
            "of it for the rows MiB": (full_bytes - empty_bytes) / MIB,
            "bytes per row": (full_bytes - empty_bytes) / n_rows,
            "most MiB while loading": peak_bytes / MIB,
        },
        figures=tuple(rows),
        notes=(
            "Load: a process with asyncio and ready-made requests over kept connections; in a closed loop it "
            "uses about as much of a core as the server, and bounds what is measured where cores are few. "
            f"Every {MISS_SHARE}th text has no rewrite. Latency in the open loop counts from when a request "
            "was due.",
        ),
    )


def _fill(database: Path, n_rows: int) -> float:
    """Writes live rewrites; gives the seconds it took."""
    engine = open_database(database)
    table = RewriteTable(engine, now_ms)
    started = time.monotonic()
    for numbers in chunks(range(n_rows), ROWS_PER_CHANGE):
        with engine.begin() as connection:
            rewrites = [_rewrite(number) for number in numbers]
            table.put(connection, ASSISTANT, rewrites, [], "benchmark", now_ms())
    seconds = time.monotonic() - started
    engine.dispose()
    return seconds


def _source(number: int) -> str:
    return f"turn of the {_ROOMS[number % len(_ROOMS)]} lamp number {number}"


def _rewrite(number: int) -> Rewrite:
    source = _source(number)
    return Rewrite(
        rewrite_id=rewrite_id(ASSISTANT, GLOBAL, source),
        assistant_id=ASSISTANT,
        scope=GLOBAL,
        source_text=source,
        source_interpretation=None,
        target_text=f"turn off the {_ROOMS[number % len(_ROOMS)]} lamp number {number // 4}",
        target_interpretation=None,
        method="chain",
        score=0.75,
        sessions=5,
        users=4,
        source_success_rate=0.1,
        source_count=10,
        target_success_rate=0.9,
        target_count=20,
        failure_point=None,
        evidence=(),
    )


def _requests(host: str, n_rows: int) -> Iterator[bytes]:
    step = max(1, n_rows // TEXTS_ASKED)
    for i, number in enumerate(range(0, n_rows, step)):
        text = _source(number) if i % MISS_SHARE else f"play song number {number}"
        query = RewriteQuery(
            text=text, user_id=f"u{i:06d}", assistant_id=ASSISTANT, asr_confidence=0.8, locale="en"
        )
        yield http_request("POST", "/v1/rewrite", host, msgspec.json.encode(query))


def _measure(load: Load) -> dict[str, Cell]:
    answers = in_process(send_load, load).value
    return {
        "connections": load.connections,
        "requests/s": len(answers.latencies_s) / answers.seconds,
        "p50 ms": percentile(answers.latencies_s, 0.5) * 1e3,
        "p99 ms": percentile(answers.latencies_s, 0.99) * 1e3,
        "failures": answers.failures,
    }


def _empty_memory(database: Path) -> tuple[int, int]:
    settings = LookupApiSettings(port=0)
    with BackgroundServer(settings, str(database), start_timeout_s=START_TIMEOUT_S) as server:
        return server_memory(server)
