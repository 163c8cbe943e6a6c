"""The turn failure: what Rehear says about where one turn of a log failed, and how sure it is."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from labeling.annotations.annotation import FailurePoint
from streams.turn import EventId, TurnEvent


class TurnFailure(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The failure point of one turn; a line of the output of `rehear isolate`."""

    event_id: EventId
    failure_point: FailurePoint  # the likeliest, also where the model abstains
    probabilities: dict[FailurePoint, float]
    """Of all six, 0..1, in the order of the stages; they sum to 1. Calibrated."""

    abstains: bool = False
    """Whether the likeliest is not likely enough for the wanted accuracy: those who need it leave it out."""

    @property
    def confidence(self) -> float:
        """Probability that the failure point is right, 0..1."""
        return self.probabilities[self.failure_point]


class FailureIsolator(Protocol):
    """Isolates the failures of sessions. Later turns of a session may inform those of earlier ones."""

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """The failure point of each turn of each session.

        Raises:
            FailureInputError: a session has more turns than can be taken.
        """
        ...
