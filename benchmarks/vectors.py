"""What does a request index of a million entries cost, and how many of the nearest does it find?"""

import time
from collections.abc import Sequence

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell, percentile
from rewriting.index.indexed_request import IndexedRequest, request_id
from rewriting.index.request_index import RequestIndex
from rewriting.index.vector_index import VectorIndexSettings
from streams.turn import AssistantId

QUESTION = "what does a request index of a million entries cost, and how many of the nearest does it find?"
SIZES = (100_000, 1_000_000)
QUICK_SIZES = (3_000,)
DIMENSIONS = (128, 384)
QUERIES = 1_000
QUICK_QUERIES = 100
NEAREST = 10
CHANGED = 0.05  # of the entries: half of what makes a new base due

_LATENT = 48  # dimensions in which texts differ; sentence vectors of far more have about so many
_DOMAINS = 100
_MEMBERS = 50  # of a template: requests that differ in a slot
_AT_A_TIME = 65_536


def run(quick: bool) -> BenchmarkReport:
    """Builds and searches indexes of clustered vectors, each in a process of its own."""
    machine = this_machine()
    sizes = QUICK_SIZES if quick else SIZES
    queries = QUICK_QUERIES if quick else QUERIES
    settings = VectorIndexSettings(flat_up_to=1_000 if quick else VectorIndexSettings().flat_up_to)
    rows = []
    for size in sizes:
        for dimension in DIMENSIONS:
            measured = in_process(measure, size, dimension, queries, settings)
            rows.append({**measured.value, "peak MiB": measured.peak_bytes / MIB})
    return BenchmarkReport(
        name="vectors",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={"entries": ", ".join(f"{size:,}" for size in sizes), "queries": queries, "threads": 1},
        figures=tuple(rows),
        notes=(
            "Vectors are drawn: domains, in these templates, in these requests that differ in a slot. "
            "Recall is against a search of all vectors as float32.",
            f"`changed`: {CHANGED:.0%} of the entries are newer than the base, and as many in it are dead.",
            f"{settings.neighbours} neighbours, construction width {settings.construction_width}, search "
            f"width {settings.search_width}; up to {settings.flat_up_to:,} entries all are compared.",
        ),
    )


def measure(size: int, dimension: int, n_queries: int, settings: VectorIndexSettings) -> dict[str, Cell]:
    """One index: how long it takes to build, its bytes, and its searches."""
    drawn = clustered_vectors(size + n_queries, dimension)
    vectors, queries = drawn[:size], drawn[size:]
    requests = [_request(number) for number in range(size)]
    before = time.perf_counter()
    assistant_id = AssistantId("benchmark")
    index = RequestIndex.of(assistant_id, "drawn", requests, vectors, version=1, settings=settings)
    build_s = time.perf_counter() - before
    found, latencies_ms = _searched(index, queries)
    n_changed = int(CHANGED * size)
    before = time.perf_counter()
    changed = index.with_changes(2, requests[:n_changed], vectors[:n_changed])
    change_s = time.perf_counter() - before
    _, changed_ms = _searched(changed, queries)
    return {
        "entries": size,
        "dimensions": dimension,
        "build s": build_s,
        "index MiB": index.size_bytes / MIB,
        "MiB per million": index.size_bytes / MIB / size * 1e6,
        "recall@10": _recall(found, _exact(vectors, queries, requests)),
        "p50 ms": percentile(latencies_ms, 0.5),
        "p99 ms": percentile(latencies_ms, 0.99),
        "change s": change_s,
        "changed p50 ms": percentile(changed_ms, 0.5),
        "changed p99 ms": percentile(changed_ms, 0.99),
    }


def clustered_vectors(count: int, dimension: int, seed: int = 1) -> NDArray[np.float32]:
    """(count, dimension) vectors of length 1, as those of requests lie: in clusters of clusters."""
    random = np.random.default_rng(seed)
    domains = random.standard_normal((_DOMAINS, _LATENT), dtype=np.float32)
    n_templates = max(count // _MEMBERS, 1)
    slots = random.standard_normal((n_templates, _LATENT), dtype=np.float32)
    templates = domains[random.integers(0, _DOMAINS, n_templates)] + 0.7 * slots
    projection = random.standard_normal((_LATENT, dimension), dtype=np.float32) / np.sqrt(_LATENT)
    vectors = np.empty((count, dimension), np.float32)
    for start in range(0, count, _AT_A_TIME):
        n = min(_AT_A_TIME, count - start)
        members = 0.4 * random.standard_normal((n, _LATENT), dtype=np.float32)
        latent = templates[random.integers(0, n_templates, n)] + members  # (n, _LATENT)
        rows = latent @ projection + 0.1 * random.standard_normal((n, dimension), dtype=np.float32)
        vectors[start : start + n] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return vectors


def _request(number: int) -> IndexedRequest:
    text = f"play the song number {number:,} in the kitchen"
    interpretation = f"Music|PlaySong|room=kitchen|song=number {number:,}"
    return IndexedRequest(request_id=request_id(interpretation), text=text, interpretation=interpretation)


def _searched(index: RequestIndex, queries: NDArray[np.float32]) -> tuple[list[set[int]], list[float]]:
    """The ids that are found for each query, and the milliseconds of each search, sorted."""
    found, latencies_ms = [], []
    for query in queries:
        before = time.perf_counter()
        matches = index.search(query, NEAREST)
        latencies_ms.append((time.perf_counter() - before) * 1e3)
        found.append({match.entry.request_id for match in matches})
    return found, sorted(latencies_ms)


def _exact(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], requests: Sequence[IndexedRequest]
) -> list[set[int]]:
    _, positions = faiss.knn(queries, vectors, NEAREST, metric=faiss.METRIC_INNER_PRODUCT)
    return [{requests[position].request_id for position in row} for row in positions.tolist()]


def _recall(found: Sequence[set[int]], exact: Sequence[set[int]]) -> float:
    shared = sum(len(some & all_) for some, all_ in zip(found, exact, strict=True))
    return shared / sum(map(len, exact))
