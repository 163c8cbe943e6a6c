"""The failure model in use: logits of each turn, in ONNX Runtime on one thread."""

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from failure_isolation.part import FailurePart
from failure_isolation.view import dialogue_view
from labeling.turns.dialogue_model import TEXTS_KEPT, DialogueModel, batch_of_one
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import TurnTokens
from labeling.turns.windows import WINDOW, turn_windows
from streams.turn import TurnEvent


class FailureReader(Struct, frozen=True, dict=True):
    """Reads dialogues. What it says of one does not depend on the others: each goes through by itself."""

    model: DialogueModel
    features: TurnFeatures
    hidden: frozenset[FailurePart]

    @cached_property
    def _text(self) -> Callable[[TurnTokens], NDArray[np.float32]]:
        return lru_cache(TEXTS_KEPT)(self._read_text)

    def read(self, turns: Sequence[TurnEvent]) -> NDArray[np.float32]:
        """Logits of each turn of a dialogue: (n, READERS, classes)."""
        parts = []
        for start, kept in turn_windows(len(turns)):
            window = turns[start : start + WINDOW]
            view = dialogue_view(window, self.hidden, self.features, self.model.tokenizer)
            inputs = batch_of_one(
                view.features,
                vectors=np.stack([self._text(tokens) for tokens in view.tokens]),
                items=view.items,
                items_there=view.items_there,
                meant=view.meant,
            )
            of_batch = self.model.dialogues.run(None, inputs)
            logits: NDArray[np.float32] = of_batch[0][0]
            parts.append(logits[kept.start - start : kept.stop - start])
        return np.concatenate(parts)

    def _read_text(self, tokens: TurnTokens) -> NDArray[np.float32]:
        """Vectors of the texts of a turn: (VECTORS, width)."""
        (vectors,) = self.model.read_text(tokens)
        of_turn: NDArray[np.float32] = vectors[0]
        return of_turn
