"""What all models have in common whose answers are known."""

from collections.abc import Sequence
from typing import Final

from streams.turn import TurnEvent

REFUSED: Final = "refuse me"


class LetterModel:
    """Takes no session in which `REFUSED` is said, and counts those that it has judged."""

    def __init__(self, refusal: Exception) -> None:
        self._refusal = refusal
        self.judged = 0  # sessions

    def take(self, sessions: Sequence[Sequence[TurnEvent]]) -> None:
        for turns in sessions:
            if any(turn.request.text == REFUSED for turn in turns):
                raise self._refusal
        self.judged += len(sessions)
