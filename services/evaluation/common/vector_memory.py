"""Vectors that are remembered: variants of one system ask for those of the same texts."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rewriting.encoders.text_encoder import RequestEncoder


class VectorMemory:
    """An encoder that encodes each text once."""

    def __init__(self, encoder: RequestEncoder) -> None:
        self._encoder = encoder
        self._vectors: dict[str, NDArray[np.float32]] = {}

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self._encoder.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts of any content: (texts, dimension), each of length 1."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            self._vectors |= dict(zip(new, self._encoder.encode(new), strict=True))
        if not texts:
            return np.zeros((0, self.dimension), dtype=np.float32)
        return np.stack([self._vectors[text] for text in texts])
