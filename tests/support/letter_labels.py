"""A label generator whose labels are known: a goal is a run of requests with the same first letter."""

from collections.abc import Sequence

from letter_model import LetterModel

from labeling.errors import LabelInputError
from labeling.labels.turn_label import LabelName, SlotLabel, TurnLabel
from streams.turn import EventId, TurnEvent

NAME = "labels-letters"

FULL_LABEL = TurnLabel(
    event_id="e",
    goal_id="e",
    goal_start=True,
    goal_success=0.1,
    defect=0.0,
    satisfaction=5,
    dissatisfaction=1.0,
    dialogue_satisfaction=1,
    dialogue_dissatisfaction=0.3333,
    domain="d",
    intent="i",
    slots=(),
    confidence={"goal_start": 0.1, "defect": 0.8, "satisfaction": 0.6, "intent": 0.95},
    abstained=("goal_start", "satisfaction", "intent"),
)
"""Says something of everything."""


class LetterLabels(LetterModel):
    """Labels no session in which `REFUSED` is said; says nothing of satisfaction and of domains.

    The defect is a third where the goal goes on, and else nothing; the slot is what follows the first letter.
    It abstains from the intents of requests of less than seven characters.
    """

    def __init__(self, third: float = 1 / 3) -> None:
        super().__init__(LabelInputError("this session cannot be labelled"))
        self._third = third

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        self.take(sessions)
        return [self._labels(turns) for turns in sessions]

    def _labels(self, turns: Sequence[TurnEvent]) -> list[TurnLabel]:
        labels: list[TurnLabel] = []
        for number, turn in enumerate(turns):
            text = turn.request.text
            letters = [other.request.text[:1] for other in turns]
            starts = number == 0 or letters[number - 1] != letters[number]
            goes_on = letters[number + 1 : number + 2] == letters[number : number + 1]
            abstained: tuple[LabelName, ...] = ("intent",) if len(text) < 7 else ()
            labels.append(
                TurnLabel(
                    event_id=EventId(turn.event_id),
                    goal_id=turn.event_id if starts else labels[-1].goal_id,
                    goal_start=starts,
                    goal_success=0.75,
                    defect=self._third if goes_on else 0.0,
                    intent=f"letter {text[:1]}",
                    slots=(SlotLabel(name="rest", value=text[1:], start=1, end=len(text)),),
                    confidence={"goal_start": 1.0, "defect": 2 / 3, "intent": 0.5 if abstained else 1.0},
                    abstained=abstained,
                )
            )
        return labels
