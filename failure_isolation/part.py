"""Parts of a dialogue that a failure model may read or not: those of label models, and traces.

Traces are what the components of an assistant write down of their decisions. Many logs lack some of them.
"""

from typing import Final, Literal, get_args

from labeling.turns.dialogue_part import Part

Trace = Literal[
    "alternatives",  # what else the recogniser may have heard
    "hypotheses",  # what else the request may have meant
    "entities",  # what its names were taken for, and what else they may have been
    "wake",  # how sure the device was that it was spoken to
]

FailurePart = Part | Trace

TRACES: Final[frozenset[FailurePart]] = frozenset(get_args(Trace))

PARTS: Final[tuple[FailurePart, ...]] = (*get_args(Part), *get_args(Trace))
"""All of them, in a fixed order."""
