"""Daily retrieval: the global index as it was on each day of a log, for the training of the ranker.

A request must be judged by what could have been found when it came. The index is built anew for each day of
the log, from what enough users had succeeded with by then.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rewriting.encoders.text_encoder import RequestEncoder
from rewriting.evidence.interpretation import Interpretation, is_understood
from rewriting.index.vector_index import VectorIndex
from rewriting.ranking.candidates import NearRequest
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.counts import RequestCounts

_DAY_MS = 86_400_000


class DailyRetrieval:
    """Finds near successful requests of the day before.

    Args:
        encoder: of requests.
        k: how many to find.
    """

    def __init__(self, encoder: RequestEncoder, k: int) -> None:
        self._encoder = encoder
        self._k = k
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self._day: int | None = None
        self._index: VectorIndex | None = None
        self._interpretations: list[Interpretation] = []
        self._found: dict[str, list[NearRequest]] = {}  # of this day

    def __call__(self, request: AskedRequest, counts: RequestCounts) -> Iterable[NearRequest]:
        """The successful requests nearest to one."""
        day = request.ts_ms // _DAY_MS
        if day != self._day:
            self._day = day
            self._build(counts)
        if self._index is None:
            return ()
        if request.text not in self._found:
            matches = self._index.search(self._encoded([request.text]), self._k)[0]
            self._found[request.text] = [
                NearRequest(self._interpretations[match.id], match.similarity) for match in matches
            ]
        return self._found[request.text]

    def _build(self, counts: RequestCounts) -> None:
        known = [
            (interpretation, statistics.text)
            for interpretation in sorted(counts.interpretations)
            if is_understood(interpretation)
            and (statistics := counts.interpretation(interpretation)) is not None
            and statistics.text is not None
        ]
        self._found = {}
        self._interpretations = [interpretation for interpretation, _ in known]
        self._index = None
        if known:
            self._index = VectorIndex.build(
                np.arange(len(known), dtype=np.int64), self._encoded([text for _, text in known])
            )

    def _encoded(self, texts: list[str]) -> NDArray[np.float32]:
        """(texts, dimension); each text goes through the encoder once."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._encoder.encode(new), strict=True))
        return np.stack([self._vectors[text] for text in texts])
