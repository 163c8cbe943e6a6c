"""A failure isolator whose answers are known: a request fails if the next one begins with the same letter."""

from collections.abc import Sequence

from letter_model import LetterModel

from failure_isolation.errors import FailureInputError
from failure_isolation.rule import FAILURE_POINTS, STAGES
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import FailurePoint
from streams.turn import EventId, TurnEvent

NAME = "failures-letters"


def point_of(text: str) -> FailurePoint:
    """Where a request fails if it does: by its first letter, "a" at the first stage, "b" at the second."""
    return STAGES[(ord(text[0]) - ord("a")) % len(STAGES)]


class LetterFailures(LetterModel):
    """Takes no session in which `REFUSED` is said, and abstains from requests with "maybe" in them.

    It is sure to seven tenths, and thinks the same of all other points.
    """

    def __init__(self, sure: float = 0.7) -> None:
        super().__init__(FailureInputError("the failures of this session cannot be isolated"))
        self._sure = sure

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        self.take(sessions)
        return [self._failures([(turn.event_id, turn.request.text) for turn in turns]) for turns in sessions]

    def _failures(self, said: Sequence[tuple[EventId, str]]) -> list[TurnFailure]:
        following = [text[:1] for _, text in said[1:]] + [""]
        return [
            TurnFailure(
                event_id=event_id,
                failure_point=point,
                probabilities={
                    name: self._sure if name == point else (1 - self._sure) / (len(FAILURE_POINTS) - 1)
                    for name in FAILURE_POINTS
                },
                abstains="maybe" in text,
            )
            for (event_id, text), next_letter in zip(said, following, strict=True)
            for point in [point_of(text) if text and text[:1] == next_letter else "correct"]
        ]
