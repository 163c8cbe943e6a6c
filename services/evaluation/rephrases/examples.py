"""Examples to read: what a system found, missed, made up, and took for another turn's next try."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.evaluation.common.dialogue_example import ExampleLine, example_lines
from streams.turn import TurnEvent

Kind = Literal["found", "missed", "false", "wrong source"]

KINDS: tuple[Kind, ...] = get_args(Kind)

EXAMPLES = 8
"""Of each kind: a screenful."""

_AROUND = 1  # turns before the first and after the last of those that matter
_MOST_LINES = 12  # in the middle of a long detour, lines are left out


class Example(Struct, frozen=True, kw_only=True):
    """A turn with those around it."""

    kind: Kind
    score: float  # of the turn in question
    lines: tuple[ExampleLine, ...]  # roles: "this turn", "right", "named", or "named, right"


def examples_of(
    turns: Sequence[TurnEvent],
    gold: NDArray[np.int64],
    said: NDArray[np.int64],
    scores: NDArray[np.float64],
    seed: int,
) -> tuple[Example, ...]:
    """Some turns of each kind, drawn at random, in the order of the log.

    Args:
        turns: those of a user follow each other.
        gold: (turns,) the number of the turn that each says again; -1: of none.
        said: (turns,) the same as the system says.
        scores: (turns,) of what it says.
        seed: of the draw.
    """
    of_kind: dict[Kind, NDArray[np.int64]] = {
        "found": np.flatnonzero((gold >= 0) & (said == gold)),
        "missed": np.flatnonzero((gold >= 0) & (said < 0)),
        "false": np.flatnonzero((gold < 0) & (said >= 0)),
        "wrong source": np.flatnonzero((gold >= 0) & (said >= 0) & (said != gold)),
    }
    generator = np.random.default_rng(seed)
    return tuple(
        Example(
            kind=kind,
            score=float(scores[turn]),
            lines=tuple(_lines(turns, turn, int(gold[turn]), int(said[turn]))),
        )
        for kind, numbers in of_kind.items()
        for turn in sorted(generator.permutation(numbers)[:EXAMPLES].tolist())
    )


def _lines(turns: Sequence[TurnEvent], turn: int, right: int, named: int) -> list[ExampleLine]:
    earliest = min([number for number in (right, named) if number >= 0], default=turn)
    key = turns[turn].key
    shown = [
        number
        for number in range(max(0, earliest - _AROUND), min(len(turns), turn + _AROUND + 1))
        if turns[number].key == key
    ]
    if len(shown) > _MOST_LINES:
        kept = {right, named, *shown[: _AROUND + 1], *shown[_AROUND + 1 - _MOST_LINES + 2 :]}
        shown = [number for number in shown if number in kept]
    roles = {}
    for number in shown:
        named_as = [
            role
            for role, other in (("this turn", turn), ("named", named), ("right", right))
            if number == other
        ]
        if named_as:
            roles[number] = ", ".join(named_as)
    return example_lines(turns, shown, roles)
