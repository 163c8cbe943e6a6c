"""What is measured of the arms of an experiment: ratios of sums over turns, by what the log itself shows."""

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from labeling.text.outcome import VISIBLE_FAILURES, TurnOutcome
from streams.turn import TurnEvent

MeasureName = Literal[
    "defect_rate", "turns_per_goal", "session_success", "satisfaction", "rewritten", "withheld"
]


class SeenTurn(Struct, frozen=True):
    """A turn, and how it ended."""

    turn: TurnEvent
    outcome: TurnOutcome
    last: bool  # of its session

    @property
    def defect(self) -> bool:
        """Whether the request visibly failed, or was tried again."""
        reason = self.outcome.reason
        if reason == "unordered":
            return self.outcome.failure == 1
        return reason in VISIBLE_FAILURES or reason == "rephrased"


class Measure(Struct, frozen=True, kw_only=True):
    """One measure: the sum of `part` over the sum of `whole`."""

    name: MeasureName
    title: str
    meaning: str
    part: Callable[[SeenTurn], float]
    whole: Callable[[SeenTurn], float]
    is_share: bool = True  # from 0 to 1; else it is a number of its own
    is_outcome: bool = True  # else it tells what was done, not what came of it


PRIMARY: Final[MeasureName] = "defect_rate"
"""The measure that is followed day by day, and that the number of users is worked out for. Of several, one or
another would differ by chance."""

MEASURES: Final = (
    Measure(
        name="defect_rate",
        title="defect rate",
        meaning="Turns that visibly failed (error, no result, barge-in, negative feedback) or whose request "
        "was tried again in similar words, of all turns.",
        part=lambda seen: seen.defect,
        whole=lambda seen: 1,
    ),
    Measure(
        name="turns_per_goal",
        title="turns per goal",
        meaning="Turns for each goal. A goal ends with a turn that neither visibly failed nor was tried "
        "again, and with its session.",
        part=lambda seen: 1,
        whole=lambda seen: seen.outcome.goes_on < 1,
        is_share=False,
    ),
    Measure(
        name="session_success",
        title="sessions that end well",
        meaning="Sessions whose last request was met, of all sessions; one that the user stopped is half.",
        part=lambda seen: seen.outcome.success if seen.last else 0,
        whole=lambda seen: seen.last,
    ),
    Measure(
        name="satisfaction",
        title="positive feedback",
        meaning="Positive feedback, of all explicit feedback.",
        part=lambda seen: seen.turn.signals.feedback == "positive",
        whole=lambda seen: seen.turn.signals.feedback is not None,
    ),
    Measure(
        name="rewritten",
        title="rewritten",
        meaning="Turns whose request was rewritten.",
        part=lambda seen: seen.turn.executed_text is not None or seen.turn.rewrite_id is not None,
        whole=lambda seen: 1,
        is_outcome=False,
    ),
    Measure(
        name="withheld",
        title="withheld",
        meaning="Turns from which the experiment kept a rewrite.",
        part=lambda seen: seen.turn.withheld_rewrite_id is not None,
        whole=lambda seen: 1,
        is_outcome=False,
    ),
)
