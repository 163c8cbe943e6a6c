"""The scale of trace items: how large each of their numbers usually is, so that small differences count."""

from collections.abc import Iterable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from failure_isolation.part import FailurePart
from failure_isolation.trace_item import NUMBERS, PLACES, item_numbers, trace_items
from labeling.turns.dialogue_part import NOTHING_HIDDEN
from streams.turn import TurnEvent

_LEAST_SPREAD = 0.02  # of numbers between -1 and 1: what hardly differs is not blown up


class ItemScale(Struct, frozen=True):
    """Mean and spread of each number of each place, over the items that were there in training."""

    means: NDArray[np.float32]  # (PLACES, NUMBERS)
    spreads: NDArray[np.float32]  # (PLACES, NUMBERS), above 0

    @classmethod
    def fit(
        cls,
        dialogues: Iterable[Sequence[TurnEvent]],
        hidden: frozenset[FailurePart] = NOTHING_HIDDEN,
    ) -> "ItemScale":
        """Looks at dialogues; a place where none has an item has mean 0 and spread 1."""
        counts = np.zeros((PLACES, 1))
        sums, squares = np.zeros((PLACES, NUMBERS)), np.zeros((PLACES, NUMBERS))
        for turns in dialogues:
            following = [None] * len(turns) if "following" in hidden else [*turns[1:], None]
            for turn, after in zip(turns, following, strict=True):
                numbers, there = item_numbers(trace_items(turn, hidden, after))
                counts += there[:, None]
                sums += numbers  # 0 where there is none
                squares += numbers.astype(np.float64) ** 2
        means = sums / np.maximum(counts, 1)
        variances = squares / np.maximum(counts, 1) - means**2
        spreads = np.maximum(np.sqrt(np.maximum(variances, 0)), _LEAST_SPREAD)
        return cls(means.astype(np.float32), np.where(counts > 0, spreads, 1.0).astype(np.float32))
