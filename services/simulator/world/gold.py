"""What a log does not tell: what was meant, and whether it was got right."""

from msgspec import Struct

from labeling.annotations.annotation import FailurePoint
from services.simulator.world.frame import Frame
from streams.turn import EventId


class GoldTurn(Struct, frozen=True, kw_only=True):
    """The truth about one turn; one line of a gold file."""

    event_id: EventId
    goal_id: str  # shared by all tries of one wish
    reference_text: str  # what was said
    reference_nlu: Frame  # what was meant
    correct: bool  # the assistant understood what was meant, even where it does not support it; with stage
    # faults: no stage failed and was not made good
    attempt: int  # number of the try, from 0
    rephrase_of: EventId | None  # the try before
    failure_point: FailurePoint  # the earliest stage that failed and was not made good
    recording_heard_before: bool | None  # said and heard like this in the learning days; null in these days
    confused: bool  # not correct, and what was heard is another request that the assistant can meet
    day: int  # of the log, from 0
