"""Parts of a dialogue that a label model may read or not.

A part is hidden from an example where a label was made of it, so that the model learns what else tells, and
does not only repeat the signal.
"""

from typing import Final, Literal

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
