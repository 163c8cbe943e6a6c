"""Rewritten requests: those for which something else was run than what their user said.

What the assistant understood and answered is then that of the words that were run.
"""

from labeling.text.normalisation import normalise
from streams.turn import TurnEvent


def is_rewritten(turn: TurnEvent) -> bool:
    """Whether other words were run than those that were said; their case and punctuation do not matter."""
    return turn.executed_text is not None and normalise(turn.executed_text) != normalise(turn.request.text)
