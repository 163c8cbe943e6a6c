import threading
from pathlib import Path

import faiss
import numpy as np
import pytest
from msgspec import structs
from numpy.typing import NDArray
from structlog.testing import capture_logs

from labeling.errors import ArtifactError
from rewriting.errors import VectorError
from rewriting.index.vector_index import IDS_FILE, VECTORS_FILE, Match, VectorIndex, VectorIndexSettings

GRAPH = VectorIndexSettings(flat_up_to=10)


def unit_vectors(count: int, dimension: int = 16, seed: int = 1) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    lengths: NDArray[np.float32] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths


def nearest(ids: NDArray[np.int64], vectors: NDArray[np.float32], query: NDArray[np.float32]) -> list[int]:
    """All ids, the most similar first, by plain arithmetic on the vectors as fp16."""
    similarities = vectors.astype(np.float16).astype(np.float64) @ query.astype(np.float64)
    return [int(id) for id in ids[np.argsort(-similarities)]]


@pytest.mark.parametrize("settings", [VectorIndexSettings(), GRAPH], ids=["flat", "graph"])
def test_the_nearest_are_those_of_plain_arithmetic(settings: VectorIndexSettings) -> None:
    ids = np.random.default_rng(2).permutation(500).astype(np.int64) * 10**15
    vectors, queries = unit_vectors(500), unit_vectors(20, seed=3)
    index = VectorIndex.build(ids, vectors, settings)

    answers = index.search(queries, 10)

    for query, matches in zip(queries, answers, strict=True):
        assert [match.id for match in matches] == nearest(ids, vectors, query)[:10]
        for match in matches:
            exact = float(vectors[ids == match.id][0] @ query)
            assert match.similarity == pytest.approx(exact, abs=1e-3)
    assert answers == [index.search(query[np.newaxis], 10)[0] for query in queries]


@pytest.mark.parametrize("settings", [VectorIndexSettings(), GRAPH], ids=["flat", "graph"])
def test_more_than_there_are_cannot_be_found(settings: VectorIndexSettings) -> None:
    ids = np.arange(100, 112)
    index = VectorIndex.build(ids, unit_vectors(12), settings)
    (matches,) = index.search(unit_vectors(1, seed=4), 1_000)
    assert sorted(match.id for match in matches) == ids.tolist()


def test_what_a_graph_cannot_reach_is_left_out_and_never_another_vector() -> None:
    thin = VectorIndexSettings(flat_up_to=0, neighbours=2, construction_width=2, search_width=1)
    vectors = unit_vectors(200)
    found = VectorIndex.build(np.arange(200), vectors, thin).search(vectors[:20], 200)
    assert any(len(matches) < 200 for matches in found)
    for query, matches in zip(vectors, found, strict=False):
        assert len({match.id for match in matches}) == len(matches)
        exact = [float(vectors[match.id] @ query) for match in matches]
        assert [match.similarity for match in matches] == pytest.approx(exact, abs=1e-3)


def test_nothing_is_found_in_nothing() -> None:
    index = VectorIndex.build(np.empty(0, np.int64), np.empty((0, 16), np.float32))
    assert len(index) == 0
    assert index.search(unit_vectors(2), 5) == [[], []]
    assert index.search(np.empty((0, 16), np.float32), 5) == []


def test_equal_vectors_come_by_id() -> None:
    vector = unit_vectors(1)
    index = VectorIndex.build(np.array([9, 4, 7]), np.repeat(vector, 3, axis=0))
    assert [match.id for match in index.search(vector, 3)[0]] == [4, 7, 9]


@pytest.mark.parametrize("settings", [VectorIndexSettings(), GRAPH], ids=["flat", "graph"])
def test_two_builds_are_the_same_whatever_the_order(settings: VectorIndexSettings, tmp_path: Path) -> None:
    ids, vectors = np.arange(300), unit_vectors(300)
    order = np.random.default_rng(5).permutation(300)
    for name, chosen in {"one": ids, "other": order}.items():
        (tmp_path / name).mkdir()
        VectorIndex.build(ids[chosen], vectors[chosen], settings).save(tmp_path / name)
    for file in (IDS_FILE, VECTORS_FILE):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


@pytest.mark.parametrize("settings", [VectorIndexSettings(), GRAPH], ids=["flat", "graph"])
def test_what_is_saved_is_what_is_loaded(settings: VectorIndexSettings, tmp_path: Path) -> None:
    queries = unit_vectors(10, seed=6)
    index = VectorIndex.build(np.arange(50) ** 9, unit_vectors(50), settings)
    index.save(tmp_path)
    loaded = VectorIndex.load(tmp_path, settings)
    assert loaded.search(queries, 7) == index.search(queries, 7)
    assert loaded.dimension == 16
    assert (loaded.vectors() == unit_vectors(50).astype(np.float16)).all()


def test_how_widely_a_loaded_graph_is_searched_is_as_it_is_loaded_not_as_it_was_built(tmp_path: Path) -> None:
    narrow = VectorIndexSettings(flat_up_to=0, neighbours=4, construction_width=8, search_width=1)
    wide = structs.replace(narrow, search_width=500)
    ids, vectors, queries = np.arange(500), unit_vectors(500), unit_vectors(20, seed=6)
    built = VectorIndex.build(ids, vectors, narrow)
    built.save(tmp_path)
    found = VectorIndex.load(tmp_path, wide).search(queries, 5)
    assert found == VectorIndex.build(ids, vectors, wide).search(queries, 5)
    assert found != built.search(queries, 5)


def test_vectors_out_of_an_index_make_the_same_index() -> None:
    queries = unit_vectors(10, seed=6)
    index = VectorIndex.build(np.arange(50), unit_vectors(50))
    again = VectorIndex.build(index.ids, index.vectors())
    assert again.search(queries, 50) == index.search(queries, 50)


def test_wrong_vectors_are_refused() -> None:
    ids = np.arange(5)
    holed = unit_vectors(5)
    holed[3, 2] = np.nan
    with pytest.raises(VectorError, match="vector 3 has length nan"):
        VectorIndex.build(ids, holed)
    with pytest.raises(VectorError, match="vector 0 has length 2"):
        VectorIndex.build(ids, unit_vectors(5) * 2)
    with pytest.raises(VectorError, match=r"\(4,\) and \(5, 16\)|of \(4,\) ids"):
        VectorIndex.build(ids[:4], unit_vectors(5))
    with pytest.raises(VectorError, match="id -1 is negative"):
        VectorIndex.build(ids - 1, unit_vectors(5))
    with pytest.raises(VectorError, match="id 2 is given twice"):
        VectorIndex.build(np.array([0, 1, 2, 2, 3]), unit_vectors(5))


def test_wrong_queries_are_refused() -> None:
    index = VectorIndex.build(np.arange(5), unit_vectors(5))
    holed = unit_vectors(2)
    holed[1, 0] = np.inf
    with pytest.raises(VectorError, match="vector 1 has length inf"):
        index.search(holed, 3)
    with pytest.raises(VectorError, match=r"give \(m, 16\)"):
        index.search(unit_vectors(1, dimension=8), 3)
    with pytest.raises(VectorError, match=r"give \(m, 16\)"):
        index.search(unit_vectors(1)[0], 3)
    with pytest.raises(VectorError, match="ask for 1 or more"):
        index.search(unit_vectors(1), 0)


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    VectorIndex.build(np.arange(5), unit_vectors(5)).save(tmp_path)
    np.save(tmp_path / IDS_FILE, np.arange(4), allow_pickle=False)
    with pytest.raises(ArtifactError, match="4 ids of type int64 for 5 vectors"):
        VectorIndex.load(tmp_path)
    (tmp_path / IDS_FILE).write_bytes(b"")
    with pytest.raises(ArtifactError, match="cannot be read"):
        VectorIndex.load(tmp_path)
    np.save(tmp_path / IDS_FILE, np.arange(5), allow_pickle=False)
    (tmp_path / VECTORS_FILE).write_bytes(b"no index at all")
    with pytest.raises(ArtifactError, match="cannot be read"):
        VectorIndex.load(tmp_path)
    (tmp_path / VECTORS_FILE).unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        VectorIndex.load(tmp_path)
    faiss.write_index(faiss.IndexFlatL2(16), str(tmp_path / VECTORS_FILE))
    with pytest.raises(ArtifactError, match="another kind"):
        VectorIndex.load(tmp_path)


@pytest.mark.parametrize("settings", [VectorIndexSettings(), GRAPH], ids=["flat", "graph"])
def test_searches_at_once_find_what_one_finds(settings: VectorIndexSettings) -> None:
    index = VectorIndex.build(np.arange(2_000), unit_vectors(2_000), settings)
    queries = unit_vectors(200, seed=7)
    alone = index.search(queries, 5)
    at_once: dict[int, list[list[Match]]] = {}
    start = threading.Barrier(6)

    def search(number: int) -> None:
        start.wait()
        at_once[number] = [index.search(query[np.newaxis], 5)[0] for query in queries]

    threads = [threading.Thread(target=search, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [at_once[number] for number in range(6)] == [alone] * 6


def test_a_search_leaves_the_threads_of_faiss_as_they_were() -> None:
    index = VectorIndex.build(np.arange(5), unit_vectors(5))
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(7)
    try:
        index.search(unit_vectors(1), 3)
        assert faiss.omp_get_max_threads() == 7
    finally:
        faiss.omp_set_num_threads(before)


def test_a_gpu_finds_the_same_and_its_lack_is_logged() -> None:
    settings = VectorIndexSettings(flat_up_to=10, device="gpu")
    ids, vectors, queries = np.arange(200), unit_vectors(200), unit_vectors(10, seed=8)
    with capture_logs() as logs:
        index = VectorIndex.build(ids, vectors, settings)
    if not faiss.get_num_gpus():
        assert [line["event"] for line in logs if "GPU" in line["event"]]
    for query, matches in zip(queries, index.search(queries, 5), strict=True):
        assert [match.id for match in matches] == nearest(ids, vectors, query)[:5]
