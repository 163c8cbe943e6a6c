"""The failure model in use: logits of each turn, in ONNX Runtime on one thread."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from failure_isolation.part import FailurePart
from failure_isolation.view import dialogue_view
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from labeling.turns.windows import WINDOW, turn_windows
from streams.turn import TurnEvent

_TEXTS_KEPT: Final = 1_000  # of turns; each 25 kB


class FailureReader:
    """Reads dialogues. What it says of one does not depend on the others: each goes through by itself."""

    def __init__(
        self,
        texts: onnxruntime.InferenceSession,
        dialogues: onnxruntime.InferenceSession,
        tokenizer: TurnTokenizer,
        features: TurnFeatures,
        hidden: frozenset[FailurePart],
    ) -> None:
        self._texts = texts
        self._dialogues = dialogues
        self._tokenizer = tokenizer
        self._features = features
        self._hidden = hidden
        self._text = lru_cache(_TEXTS_KEPT)(self._read_text)

    def read(self, turns: Sequence[TurnEvent]) -> NDArray[np.float32]:
        """Logits of each turn of a dialogue: (n, READERS, classes)."""
        parts = []
        for start, kept in turn_windows(len(turns)):
            window = turns[start : start + WINDOW]
            view = dialogue_view(window, self._hidden, self._features, self._tokenizer)
            inputs: dict[str, NDArray[Any]] = {
                "vectors": np.stack([self._text(tokens) for tokens in view.tokens]),
                "categories": view.features.categories,
                "numbers": view.features.numbers,
                "distances": view.features.distances,
                "gaps": view.features.gaps,
                "seen": view.features.seen,
                "items": view.items,
                "items_there": view.items_there,
                "meant": view.meant,
            }
            of_batch = self._dialogues.run(None, {name: value[None] for name, value in inputs.items()})
            logits: NDArray[np.float32] = of_batch[0][0]
            parts.append(logits[kept.start - start : kept.stop - start])
        return np.concatenate(parts)

    def _read_text(self, tokens: TurnTokens) -> NDArray[np.float32]:
        """Vectors of the texts of a turn: (VECTORS, width)."""
        inputs = {
            "input_ids": np.array([tokens.ids], dtype=np.int64),
            "segments": np.array([tokens.segments], dtype=np.int64),
        }
        read: NDArray[np.float32] = self._texts.run(None, inputs)[0][0]
        return read
