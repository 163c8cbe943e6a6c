"""Indexed requests: what a request may be rewritten to, a million of them in little memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.errors import ArtifactError

TEXTS_FILE: Final = "texts.npy"
TEXT_ENDS_FILE: Final = "text_ends.npy"


class IndexedRequest(Struct, frozen=True, kw_only=True, gc=False):
    """A request that users make with success."""

    request_id: int  # `request_id` of its interpretation, or of its text where it has none; 0..2**63-1
    text: str  # as most users say it
    interpretation: str  # "" where there is none


def request_id(key: str) -> int:
    """The id of a request by its interpretation or text; the same on every machine, for ever."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


class RequestTexts:
    """Requests by id, without a Python object for each; it never changes."""

    __slots__ = ("_ends", "blob", "ids")

    def __init__(self, ids: NDArray[np.int64], blob: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        self.ids: Final = ids  # (n,), ascending
        self.blob: Final = blob  # text and interpretation of each request in turn, UTF-8
        self._ends = ends  # (2 n,): where each of these ends in the blob

    @classmethod
    def of(cls, requests: Iterable[IndexedRequest]) -> RequestTexts:
        """The texts of requests with different ids."""
        in_order = sorted(requests, key=lambda request: request.request_id)
        parts = [part.encode() for request in in_order for part in (request.text, request.interpretation)]
        return cls(
            np.fromiter((request.request_id for request in in_order), np.int64, len(in_order)),
            np.frombuffer(b"".join(parts), np.uint8),
            np.cumsum(np.fromiter(map(len, parts), np.int64, len(parts)), dtype=np.int64),
        )

    @classmethod
    def joined(cls, parts: Sequence[tuple[RequestTexts, NDArray[np.int64]]]) -> RequestTexts:
        """Some requests of several; no id twice.

        Args:
            parts: requests, and the positions of those that are wanted among their ids.
        """
        ids = np.concatenate([texts.ids[positions] for texts, positions in parts])
        order = np.argsort(ids, kind="stable")
        bounds = np.concatenate([texts.bounds()[positions] for texts, positions in parts])[order]  # (n, 3)
        memories = [texts.blob.tobytes() for texts, _ in parts]
        sources = np.repeat(np.arange(len(parts)), [len(positions) for _, positions in parts])[order]
        blob = b"".join(
            memories[source][start:end]
            for source, start, end in zip(
                sources.tolist(), bounds[:, 0].tolist(), bounds[:, 2].tolist(), strict=True
            )
        )
        lengths = np.diff(bounds, axis=1)  # (n, 2)
        return cls(ids[order], np.frombuffer(blob, np.uint8), np.cumsum(lengths.ravel()))

    def bounds(self) -> NDArray[np.int64]:
        """(n, 3): where in the blob each text starts, and ends, and its interpretation ends."""
        both = self._ends.reshape(-1, 2)
        starts = np.concatenate([np.zeros(1, np.int64), both[:, 1]])[: len(both)]
        return np.column_stack([starts, both])

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size_bytes(self) -> int:
        """Memory that it takes."""
        return self.ids.nbytes + self.blob.nbytes + self._ends.nbytes

    def request(self, request_id: int) -> IndexedRequest:
        """The request of an id that is among `ids`."""
        position = int(np.searchsorted(self.ids, request_id))
        start = int(self._ends[2 * position - 1]) if position else 0
        middle, end = int(self._ends[2 * position]), int(self._ends[2 * position + 1])
        return IndexedRequest(
            request_id=request_id,
            text=self.blob[start:middle].tobytes().decode(),
            interpretation=self.blob[middle:end].tobytes().decode(),
        )

    def save(self, folder: Path) -> None:
        """Writes the texts into a folder that is there, without the ids, which the vectors beside have."""
        np.save(folder / TEXTS_FILE, self.blob, allow_pickle=False)
        np.save(folder / TEXT_ENDS_FILE, self._ends, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path, ids: NDArray[np.int64]) -> RequestTexts:
        """Reads what `save` has written.

        Raises:
            ArtifactError: a file is missing, unreadable, or does not fit the ids.
        """
        try:
            blob = np.load(folder / TEXTS_FILE, allow_pickle=False)
            ends = np.load(folder / TEXT_ENDS_FILE, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ArtifactError(
                f"the texts in {folder} cannot be read ({error}): build the index again"
            ) from error
        fits = (
            blob.dtype == np.uint8
            and ends.dtype == np.int64
            and ends.shape == (2 * len(ids),)
            and (not len(ends) or (ends[-1] == len(blob) and (np.diff(ends, prepend=0) >= 0).all()))
        )
        if not fits:
            raise ArtifactError(
                f"the texts in {folder} are not those of its {len(ids):,} ids: build the index again"
            )
        return cls(ids, blob, ends)
