"""The turn label: what Rehear says about one turn of a log, and how sure it is."""

from collections.abc import Sequence
from typing import Literal, Protocol

from msgspec import Struct

from streams.turn import EventId, TurnEvent

LabelName = Literal[
    "goal_start",
    "goal_success",
    "defect",
    "satisfaction",
    "dialogue_satisfaction",
    "domain",
    "intent",
    "slots",
]
"""The labels that have a confidence of their own."""


class SlotLabel(Struct, frozen=True, kw_only=True, gc=False):
    """A named value in a request."""

    name: str
    value: str  # as it stands in the request
    start: int  # first character in request.text
    end: int  # one past the last


class TurnLabel(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The labels of one turn; a line of the output of `rehear label`.

    A label is None where nothing taught it: no annotation and no signal of the log. Where the model is not
    sure enough for the wanted precision, the label is given all the same, and named in `abstained`.
    """

    event_id: EventId
    goal_id: str  # the event that the goal starts with
    goal_start: bool
    goal_success: float | None = None  # probability that the goal of this turn is reached, 0..1
    defect: float | None = None  # probability that the user did not get what was asked for, 0..1
    satisfaction: int | None = None  # with this turn, 1..5
    dissatisfaction: float | None = None  # probability that most raters would give less than 3, 0..1
    dialogue_satisfaction: int | None = None  # 1..5, on the last turn of a dialogue alone
    dialogue_dissatisfaction: float | None = None  # likewise
    domain: str | None = None
    intent: str | None = None
    slots: tuple[SlotLabel, ...] | None = None
    confidence: dict[LabelName, float] = {}
    """Probability that the label is right, 0..1. Of a probability, that its nearer end (0 or 1) is right."""

    abstained: tuple[LabelName, ...] = ()
    """Labels that are below the wanted precision: those who need it leave them out."""


class LabelGenerator(Protocol):
    """Labels sessions. Later turns of a session may inform the labels of earlier ones."""

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        """The labels of each turn of each session.

        Raises:
            LabelInputError: a session has more turns than can be labelled.
        """
        ...
