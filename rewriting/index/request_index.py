"""The request index of one assistant in memory: the requests that a request may have been meant as.

A `RequestIndex` never changes: `with_changes` makes a new one, and the holder swaps one reference. It is a
list of segments, the base first, each with vectors that never change and the ids among them that hold no
more. A change adds a small segment and shares the others; small segments are merged so that there are few.
What was changed lies in the base as well until the index is compacted into a new base.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.errors import ArtifactError
from labeling.models.artifact import Manifest, verify_artifact, write_artifact
from rewriting.errors import VectorError
from rewriting.index.indexed_request import IndexedRequest, RequestTexts
from rewriting.index.vector_index import VectorIndex, VectorIndexSettings
from streams.turn import AssistantId

ARTIFACT_KIND: Final = "request-index"


class IndexMatch(Struct, frozen=True, gc=False):
    """A request like the one that was searched for."""

    entry: IndexedRequest
    similarity: float  # cosine, -1..1


class _Segment(Struct, frozen=True):
    """Requests and their vectors, and which of them hold no more."""

    vectors: VectorIndex
    texts: RequestTexts
    hidden: frozenset[int] = frozenset()  # ids

    @property
    def live(self) -> int:
        return len(self.texts) - len(self.hidden)

    def holding(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of some ids that are in this segment, hidden or not."""
        if not len(self.texts.ids) or not len(ids):
            return ids[:0]
        positions = np.searchsorted(self.texts.ids, ids)
        is_held: NDArray[np.bool_] = self.texts.ids.take(positions, mode="clip") == ids
        return ids[is_held]

    def without(self, ids: NDArray[np.int64]) -> _Segment:
        held = self.holding(ids)
        if not len(held):
            return self
        return _Segment(self.vectors, self.texts, self.hidden.union(held.tolist()))

    def live_positions(self) -> NDArray[np.int64]:
        hidden = np.fromiter(self.hidden, np.int64, len(self.hidden))
        return np.flatnonzero(~np.isin(self.texts.ids, hidden))

    def search(self, vector: NDArray[np.float32], k: int) -> list[tuple[float, int]]:
        """(-similarity, id) of the nearest ones that hold, the nearest first."""
        wanted = k
        while True:
            matches = self.vectors.search(vector, wanted)[0]
            found = [(-match.similarity, match.id) for match in matches if match.id not in self.hidden]
            if len(found) >= min(k, self.live) or wanted >= len(self.vectors):
                return found[:k]
            wanted = min(2 * wanted + 8, len(self.vectors))


class RequestIndex:
    """The requests of one assistant, by their vectors; it never changes, and many threads may search it."""

    __slots__ = ("_segments", "assistant_id", "base_name", "dimension", "encoder_id", "settings", "version")

    def __init__(
        self,
        assistant_id: AssistantId,
        encoder_id: str,
        dimension: int,
        settings: VectorIndexSettings,
        version: int,
        base_name: str | None,
        segments: tuple[_Segment, ...],
    ) -> None:  # `empty`, `of` and `load` make one
        self.assistant_id: Final = assistant_id
        self.encoder_id: Final = encoder_id  # of the encoder of all vectors: the hash of its files
        self.dimension: Final = dimension
        self.settings: Final = settings
        self.version: Final = version
        self.base_name: Final = base_name  # the stored base that it follows; see `index_follower`
        self._segments = segments

    @classmethod
    def empty(
        cls,
        assistant_id: AssistantId,
        encoder_id: str,
        dimension: int,
        settings: VectorIndexSettings | None = None,
    ) -> RequestIndex:
        """The index of an assistant for which nothing was learned, at version 0."""
        no_vectors = np.empty((0, dimension), np.float32)
        return cls.of(assistant_id, encoder_id, (), no_vectors, version=0, settings=settings)

    @classmethod
    def of(
        cls,
        assistant_id: AssistantId,
        encoder_id: str,
        requests: Collection[IndexedRequest],
        vectors: NDArray[np.float32] | NDArray[np.float16],
        *,
        version: int,
        settings: VectorIndexSettings | None = None,
        base_name: str | None = None,
    ) -> RequestIndex:
        """The index of these requests, as a base.

        Args:
            assistant_id: whose requests.
            encoder_id: of the encoder that made the vectors.
            requests: n of them, with different ids.
            vectors: (n, dim), each of length 1, in the order of the requests.
            version: of the requests in the database.
            settings: how to search them.
            base_name: of the stored base that it stands for.

        Raises:
            VectorError: as `VectorIndex.build`.
        """
        settings = settings or VectorIndexSettings()
        base = _segment(requests, vectors, settings)
        dimension = base.vectors.dimension
        return cls(assistant_id, encoder_id, dimension, settings, version, base_name, (base,))

    @classmethod
    def load(cls, folder: Path, settings: VectorIndexSettings | None = None) -> RequestIndex:
        """Reads a stored index; every file is verified before it is used.

        Raises:
            ArtifactError: missing, damaged, or not written by `save`.
        """
        manifest = verify_artifact(folder, ARTIFACT_KIND)
        settings = settings or VectorIndexSettings()
        try:
            facts = msgspec.convert(manifest.facts, _Facts)
        except msgspec.ValidationError as error:
            raise ArtifactError(f"the facts of {folder} are not those of a request index: {error}") from error
        vectors = VectorIndex.load(folder, settings)
        texts = RequestTexts.load(folder, vectors.ids)
        if (facts.count, facts.dimension) != (len(vectors), vectors.dimension):
            raise ArtifactError(
                f"{folder} has {len(vectors):,} vectors of {vectors.dimension} dimensions, and its manifest "
                f"says {facts.count:,} of {facts.dimension}: build the index again"
            )
        return cls(
            AssistantId(facts.assistant_id),
            facts.encoder_id,
            vectors.dimension,
            settings,
            facts.version,
            folder.name,
            (_Segment(vectors, texts),),
        )

    def save(self, folder: Path) -> Manifest:
        """Writes the index as an artifact: all of it or nothing. An index with changes is compacted first.

        Raises:
            ArtifactError: something else lies at `folder`.
        """
        base = _joined(self._segments, self.settings) if self.changes else self._segments[0]

        def write(into: Path) -> None:
            base.vectors.save(into)
            base.texts.save(into)

        return write_artifact(
            folder,
            ARTIFACT_KIND,
            write,
            facts={
                "assistant_id": self.assistant_id,
                "encoder_id": self.encoder_id,
                "version": self.version,
                "count": len(base.vectors),
                "dimension": self.dimension,
            },
        )

    def __len__(self) -> int:
        return sum(segment.live for segment in self._segments)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The ids of all requests, ascending."""
        return np.sort(np.concatenate([s.texts.ids[s.live_positions()] for s in self._segments]))

    @property
    def size_bytes(self) -> int:
        """Memory that it takes, but for the ids of what holds no more."""
        return sum(segment.vectors.size_bytes + segment.texts.size_bytes for segment in self._segments)

    @property
    def changes(self) -> int:
        """Entries outside the base, and dead ones in it."""
        base, *added = self._segments
        return len(base.hidden) + sum(len(segment.texts) for segment in added)

    def with_changes(
        self,
        version: int,
        added: Sequence[IndexedRequest] = (),
        vectors: NDArray[np.float32] | NDArray[np.float16] | None = None,
        removed: Iterable[int] = (),
    ) -> RequestIndex:
        """This index after a change; this one stays as it is.

        Args:
            version: of the requests after the change.
            added: requests that are new, or replace those of their ids.
            vectors: (n, dim), of the added ones; each of length 1.
            removed: ids that shall not be found any more; those that are not there do not matter.

        Raises:
            VectorError: as `VectorIndex.build`; or an id is both added and removed.
        """
        if vectors is None:
            vectors = np.empty((0, self.dimension), np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.dimension:
            raise VectorError(f"vectors of shape {vectors.shape}: give ({len(added)}, {self.dimension})")
        gone = set(removed)
        put = {request.request_id for request in added}
        if both := put & gone:
            raise VectorError(f"the request {min(both)} is both added and removed: give it once")
        changed = np.fromiter(sorted(put | gone), np.int64, len(put) + len(gone))
        segments = [segment.without(changed) for segment in self._segments]
        if added:
            segments.append(_segment(added, vectors, _EXACT))
        return self._with(version, self.base_name, _merged(segments))

    def following(self, base_name: str | None, version: int) -> RequestIndex:
        """The same requests, known to be those of a stored base or version."""
        return self._with(version, base_name, self._segments)

    def compacted(self) -> RequestIndex:
        """The same requests as a base alone; a graph is built anew, which takes minutes for a million."""
        if not self.changes:
            return self
        return self._with(self.version, self.base_name, (_joined(self._segments, self.settings),))

    def _with(self, version: int, base_name: str | None, segments: tuple[_Segment, ...]) -> RequestIndex:
        return RequestIndex(
            self.assistant_id,
            self.encoder_id,
            self.dimension,
            self.settings,
            version,
            base_name,
            segments,
        )

    def search(self, vector: NDArray[np.float32], k: int) -> list[IndexMatch]:
        """The requests nearest to a vector, the most similar first, of equally similar ones the lower id.

        Args:
            vector: (dim,), of length 1.
            k: how many to find, at least 1; fewer are found where there are fewer.

        Raises:
            VectorError: another dimension, a NaN, another length, or k under 1.
        """
        query = vector[np.newaxis]  # (1, dim)
        found = [
            (distance, id, segment) for segment in self._segments for distance, id in segment.search(query, k)
        ]
        found.sort(key=lambda match: match[:2])
        return [IndexMatch(segment.texts.request(id), -distance) for distance, id, segment in found[:k]]


class _Facts(Struct, frozen=True, kw_only=True):
    assistant_id: str
    encoder_id: str
    version: int
    count: int
    dimension: int


def _segment(
    requests: Collection[IndexedRequest],
    vectors: NDArray[np.float32] | NDArray[np.float16],
    settings: VectorIndexSettings,
) -> _Segment:
    ids = np.fromiter((request.request_id for request in requests), np.int64, len(requests))
    return _Segment(VectorIndex.build(ids, vectors, settings), RequestTexts.of(requests))


_EXACT: Final = VectorIndexSettings(flat_up_to=sys.maxsize)  # for a change, which no graph shall hold up


def _merged(segments: list[_Segment]) -> tuple[_Segment, ...]:
    """The base, and added segments of which each is less than half as large as the one before: only a few."""
    base, *added = segments
    added = [segment for segment in added if segment.live]
    while len(added) > 1 and 2 * len(added[-1].texts) >= len(added[-2].texts):
        added[-2:] = [_joined(added[-2:], _EXACT)]
    return (base, *added)


def _joined(segments: Sequence[_Segment], settings: VectorIndexSettings) -> _Segment:
    """One segment with what holds of several."""
    parts = [(segment, segment.live_positions()) for segment in segments]
    ids = np.concatenate([segment.texts.ids[positions] for segment, positions in parts])
    vectors = np.concatenate([segment.vectors.vectors()[positions] for segment, positions in parts])
    texts = RequestTexts.joined([(segment.texts, positions) for segment, positions in parts])
    return _Segment(VectorIndex.build(ids, vectors, settings), texts)
