"""The index of vectors: the nearest of many, by cosine, in well under a millisecond.

FAISS is used here and nowhere else. Its positions, its -1 for "no more", its threads and its unsafe additions
stay inside: a `VectorIndex` answers with ids, never changes once it is built, and may be searched by many
threads at once.

Vectors are kept as fp16, which changes a cosine by less than 0.001. Up to `flat_up_to` of them a search
compares with all (exact); above, it follows a graph of neighbours (HNSW, https://arxiv.org/abs/1603.09320),
which finds nearly all of the nearest ones.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import faiss
import numpy as np
import structlog
from msgspec import Struct
from numpy.typing import NDArray

from labeling.errors import ArtifactError
from rewriting.errors import VectorError

log = structlog.get_logger()

IDS_FILE: Final = "ids.npy"
VECTORS_FILE: Final = "vectors.faiss"

UNIT_LENGTH_TOLERANCE: Final = 0.01
"""How far from 1 the length of a vector may be. fp16 alone makes it differ by 0.0005; raised, vectors that
were never normalised pass, and their similarities are no cosines."""

_ADDED_AT_A_TIME: Final = 65_536  # vectors: 100 MB of 384 dimensions as float32
_MOST_ON_GPU: Final = 2_048  # neighbours that FAISS gives on a GPU


class VectorIndexSettings(Struct, frozen=True, kw_only=True):
    """How vectors are searched.

    The defaults are for sentence vectors of 128-384 dimensions; `python -m benchmarks vectors` shows what
    they cost and find.
    """

    flat_up_to: int = 100_000  # vectors; above, a search of all takes over 2 ms
    neighbours: int = 32  # of each vector in the graph; more: 8 bytes a vector each, and little is gained
    construction_width: int = 80  # candidates when a vector is added; more: slower to build, finds more
    search_width: int = 128  # candidates of a search; less misses more, more takes longer in proportion
    build_threads: int = 1  # with more, two builds of the same vectors differ in a few edges
    device: Literal["cpu", "gpu"] = "cpu"  # "gpu": exact there, where the machine and FAISS have one


class Match(Struct, frozen=True, gc=False):
    """One of the nearest vectors."""

    id: int
    similarity: float  # cosine, -1..1


class VectorIndex:
    """Vectors by id; it never changes."""

    __slots__ = ("_gpu", "_index", "dimension", "ids", "settings")

    def __init__(
        self, ids: NDArray[np.int64], index: Any, settings: VectorIndexSettings
    ) -> None:  # `build` and `load` make one
        self.ids: Final = ids  # (n,), ascending
        self.dimension: Final[int] = index.d
        self.settings: Final = settings
        self._index = index  # its positions are those of `ids`
        self._gpu = _GpuSearch.of(self.vectors()) if settings.device == "gpu" and len(ids) else None

    @classmethod
    def build(
        cls,
        ids: NDArray[np.int64],
        vectors: NDArray[np.float32] | NDArray[np.float16],
        settings: VectorIndexSettings | None = None,
    ) -> VectorIndex:
        """The index of some vectors; the same vectors in any order give the same index.

        Args:
            ids: (n,), none negative, none twice.
            vectors: (n, dim), each of length 1; n may be 0.
            settings: by default `VectorIndexSettings()`.

        Raises:
            VectorError: the shapes do not fit, an id is negative or given twice, or a vector has a NaN or
                another length.
        """
        settings = settings or VectorIndexSettings()
        if vectors.ndim != 2 or ids.shape != (len(vectors),) or not vectors.shape[1]:
            raise VectorError(
                f"no index is made of {ids.shape} ids and {vectors.shape} vectors: give (n,) and (n, dim)"
            )
        order = np.argsort(ids, kind="stable")
        ids = np.ascontiguousarray(ids[order], dtype=np.int64)
        if len(ids) and ids[0] < 0:
            raise VectorError(f"the id {ids[0]} is negative: give ids from 0")
        if len(twice := ids[1:][ids[1:] == ids[:-1]]):
            raise VectorError(f"the id {twice[0]} is given twice: give each vector an id of its own")
        index = _empty(vectors.shape[1], len(ids), settings)
        with _omp_threads(settings.build_threads):
            for start in range(0, len(ids), _ADDED_AT_A_TIME):
                positions = order[start : start + _ADDED_AT_A_TIME]
                rows = vectors[positions].astype(np.float32)  # (at most _ADDED_AT_A_TIME, dim)
                _check_unit_length(rows, ids[start : start + _ADDED_AT_A_TIME])
                # rounded as everywhere else that vectors are stored; FAISS by itself rounds some another way
                index.add(rows.astype(np.float16).astype(np.float32))
        ids.setflags(write=False)
        return cls(ids, index, settings)

    @classmethod
    def load(cls, folder: Path, settings: VectorIndexSettings | None = None) -> VectorIndex:
        """Reads what `save` has written.

        Args:
            folder: as given to `save`.
            settings: how to search; whether there is a graph is as it was built.

        Raises:
            ArtifactError: a file is missing, unreadable, or does not fit the other.
        """
        settings = settings or VectorIndexSettings()
        try:
            ids = np.load(folder / IDS_FILE, allow_pickle=False)
            index = faiss.read_index(str(folder / VECTORS_FILE))  # of the class that was written
        except (OSError, ValueError, EOFError, RuntimeError) as error:
            raise ArtifactError(f"the vectors in {folder} cannot be read ({error}): {_REPAIR}") from error
        if not isinstance(index, faiss.IndexScalarQuantizer | faiss.IndexHNSWSQ):
            raise ArtifactError(
                f"{folder / VECTORS_FILE} is an index of another kind ({type(index).__name__}): {_REPAIR}"
            )
        if ids.dtype != np.int64 or ids.shape != (index.ntotal,):
            raise ArtifactError(
                f"{folder / IDS_FILE} has {len(ids):,} ids of type {ids.dtype} for {index.ntotal:,} vectors: "
                + _REPAIR
            )
        if isinstance(index, faiss.IndexHNSWSQ):
            index.hnsw.efSearch = settings.search_width
        ids.setflags(write=False)
        return cls(ids, index, settings)

    def save(self, folder: Path) -> None:
        """Writes ids and vectors into a folder that is there: part of an artifact, which hashes them."""
        np.save(folder / IDS_FILE, self.ids, allow_pickle=False)
        faiss.write_index(self._index, str(folder / VECTORS_FILE))

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, queries: NDArray[np.float32], k: int) -> list[list[Match]]:
        """The nearest vectors of each query, the most similar first, of equally similar ones the lower id.

        Args:
            queries: (m, dim), each of length 1.
            k: how many to find, at least 1; fewer are found where there are fewer.

        Raises:
            VectorError: another dimension, a NaN, another length, or k under 1.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dimension:
            raise VectorError(f"queries of shape {queries.shape}: give (m, {self.dimension})")
        if k < 1:
            raise VectorError(f"{k} neighbours were asked for: ask for 1 or more")
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        _check_unit_length(queries, np.arange(len(queries)))
        k = min(k, len(self.ids))
        if not k or not len(queries):
            return [[] for _ in queries]
        if self._gpu is not None and k <= _MOST_ON_GPU:
            similarities, positions = self._gpu.search(queries, k)
        else:
            with _omp_threads(1):
                similarities, positions = self._index.search(queries, k)
        return [self._matches(*row) for row in zip(similarities, positions, strict=True)]

    def _matches(self, similarities: NDArray[np.float32], positions: NDArray[np.int64]) -> list[Match]:
        found = positions >= 0  # -1 where a search of the graph has found fewer
        similarities, positions = similarities[found], positions[found]
        order = np.lexsort((positions, -similarities))
        ids = self.ids[positions[order]].tolist()
        return [
            Match(id, similarity) for id, similarity in zip(ids, similarities[order].tolist(), strict=True)
        ]

    @property
    def size_bytes(self) -> int:
        """Memory that vectors and graph take; the ids are shared with the texts beside them."""
        codes = self._storage.codes.size()
        if not isinstance(self._index, faiss.IndexHNSWSQ):
            return int(codes)
        graph: Any = self._index.hnsw
        return int(codes + 4 * (graph.neighbors.size() + graph.levels.size()) + 8 * graph.offsets.size())

    @property
    def _storage(self) -> Any:
        is_graph = isinstance(self._index, faiss.IndexHNSWSQ)
        return faiss.downcast_index(self._index.storage) if is_graph else self._index

    def vectors(self) -> NDArray[np.float16]:
        """A copy of all vectors, (n, dim), in the order of `ids`: exactly as they are searched."""
        codes: NDArray[np.uint8] = faiss.vector_to_array(self._storage.codes)
        return codes.view(np.float16).reshape(len(self.ids), self.dimension)


class _GpuSearch:
    """The same vectors on a GPU, all compared with each query."""

    def __init__(self, vectors: NDArray[np.float16]) -> None:
        api: Any = faiss  # its stubs know no GPU
        self._resources = api.StandardGpuResources()
        config = api.GpuIndexFlatConfig()
        config.useFloat16 = True
        self._index = api.GpuIndexFlatIP(self._resources, vectors.shape[1], config)
        for start in range(0, len(vectors), _ADDED_AT_A_TIME):
            self._index.add(vectors[start : start + _ADDED_AT_A_TIME].astype(np.float32))
        self._lock = threading.Lock()  # one search at a time may use the resources of a GPU

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> _GpuSearch | None:
        """None, and a line in the log, where FAISS has no GPU."""
        if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
            log.warning(
                "vectors are searched on the CPU, though the settings ask for a GPU: FAISS finds none "
                "(pip install 'rehear[gpu]')"
            )
            return None
        return cls(vectors)

    def search(self, queries: NDArray[np.float32], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        with self._lock:
            similarities, positions = self._index.search(queries, k)
        return similarities, positions


_REPAIR: Final = "build the index again"


def _empty(dimension: int, count: int, settings: VectorIndexSettings) -> Any:
    quantizer: Any = faiss.ScalarQuantizer.QT_fp16
    if count <= settings.flat_up_to:
        index: Any = faiss.IndexScalarQuantizer(dimension, quantizer, faiss.METRIC_INNER_PRODUCT)
    else:
        index = faiss.IndexHNSWSQ(dimension, quantizer, settings.neighbours, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = settings.construction_width
        index.hnsw.efSearch = settings.search_width
    index.is_trained = True  # fp16 has nothing to learn of the vectors
    return index


def _check_unit_length(vectors: NDArray[np.float32], ids: NDArray[np.int64]) -> None:
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))  # (n,)
    wrong = ~(np.abs(lengths - 1.0) <= UNIT_LENGTH_TOLERANCE)  # so that a NaN is wrong, too
    if wrong.any():
        first = int(np.argmax(wrong))
        raise VectorError(
            f"vector {ids[first]} has length {lengths[first]:.4g}: give finite vectors of length 1"
        )


@contextmanager
def _omp_threads(count: int) -> Iterator[None]:
    """Threads that FAISS uses for calls of this thread: by itself it takes all cores for each of them."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
