"""Parts of a dialogue that a label model may read or not.

A part is hidden from an example where a label was made of it, so that the model learns what else tells, and
does not only repeat the signal.
"""

from collections.abc import Sequence
from typing import Final, Literal, TypeVar

import numpy as np

Part = Literal[
    "signals",  # barge-in, termination, feedback
    "status",  # of the response
    "responses",  # what the assistant said
    "understanding",  # domain, intent, slots and confidence of the NLU
    "recognition",  # confidence of the recogniser
    "time",  # gaps between turns
    "likeness",  # how alike a request is to its neighbours
    "preceding",  # everything about earlier turns
    "following",  # everything about later turns
    "device",  # type and locale
]

NOTHING_HIDDEN: Final[frozenset[Part]] = frozenset()

NO_CONTEXT: Final[frozenset[Part]] = frozenset({"preceding", "following"})
"""A turn is read by itself."""

AnyPart = TypeVar("AnyPart", bound=str)


def parts_by_chance(
    parts: Sequence[AnyPart], share: float, generator: np.random.Generator
) -> frozenset[AnyPart]:
    """Parts to hide from one example, each with the probability `share`; moves the generator on."""
    draws = generator.random(len(parts))
    return frozenset(part for part, draw in zip(parts, draws, strict=True) if draw < share)
