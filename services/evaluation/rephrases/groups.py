"""Kinds of rephrases that a report tells apart: how far back, in which words, after how long."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.text.normalisation import normalise
from labeling.text.outcome import is_similar
from streams.turn import TurnEvent

MOST_TURNS_BACK = 4
"""Distances from here on are one group."""

GAPS_S = (5, 15, 45, 120)
"""Seconds at which times are cut into groups."""

_FAR = f"{MOST_TURNS_BACK} and more"
_TIMES = (
    f"under {GAPS_S[0]} s",
    *(f"{start} to {end} s" for start, end in pairwise(GAPS_S)),
    f"{GAPS_S[-1]} s and more",
)


class Grouping(Struct, frozen=True):
    """Groups of pairs of turns."""

    name: str
    groups: tuple[str, ...]  # in the order in which they are shown
    group_of: Callable[[Sequence[TurnEvent], int, int], str]  # of the turns, an earlier and a later one

    def of_pairs(self, turns: Sequence[TurnEvent], named: NDArray[np.int64]) -> NDArray[np.str_]:
        """The groups of turns with the earlier turn that is named for each: (turns,).

        Args:
            turns: those of a user follow each other.
            named: (turns,) numbers of turns; -1: none is named, and the group is empty.
        """
        groups = [
            self.group_of(turns, earlier, later) if earlier >= 0 else ""
            for later, earlier in enumerate(named.tolist())
        ]
        return np.array(groups, dtype=np.str_)


def _turns_back(turns: Sequence[TurnEvent], earlier: int, later: int) -> str:
    return str(later - earlier) if later - earlier < MOST_TURNS_BACK else _FAR


def _wording(turns: Sequence[TurnEvent], earlier: int, later: int) -> str:
    first, second = turns[earlier], turns[later]
    if normalise(first.request.text) == normalise(second.request.text):
        return "verbatim"
    return "similar" if is_similar(first, second) else "dissimilar"


def _time_since(turns: Sequence[TurnEvent], earlier: int, later: int) -> str:
    seconds = (turns[later].ts_ms - turns[earlier].ts_ms) / 1000
    return next((name for end, name in zip(GAPS_S, _TIMES, strict=False) if seconds < end), _TIMES[-1])


GROUPINGS = (
    Grouping("turns back", (*map(str, range(1, MOST_TURNS_BACK)), _FAR), _turns_back),
    Grouping("wording", ("verbatim", "similar", "dissimilar"), _wording),
    Grouping("time since", _TIMES, _time_since),
)
