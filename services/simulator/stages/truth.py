"""What each stage of a simulated assistant made of a request, and what follows by the failure rule."""

from typing import Final

from msgspec import Struct

from failure_isolation.rule import StageOutput, failure_point
from labeling.annotations.annotation import FailurePoint
from services.simulator.world.frame import Frame, frame

UNKNOWN: Final = "unknown "
"""Begins the name of the slot of a mention that no catalogue entry was found for, in a resolved frame."""

FAILED: Final = frame("none", "failed")
"""Done, where the assistant could have done what was asked for, tried, and did not."""


def refusal(request: Frame) -> Frame:
    """Done, where the assistant says that it cannot do this, or does not know the names in it."""
    unknown = tuple(slot for slot in request.slots if slot.name.startswith(UNKNOWN))
    return Frame(domain="refused", intent=request.action, slots=unknown)


class Passage(Struct, frozen=True, kw_only=True):
    """How a turn passed through the stages; each field is the whole state after its stage.

    None where there should be nothing at all: in what had been right for a false wake.
    """

    awake: bool  # the assistant took what it heard for a request
    heard: str | None
    understood: Frame | None
    resolved: Frame | None  # with catalogue entries in the place of mentions that were found
    done: Frame | None


NOTHING_ASKED: Final = Passage(awake=False, heard=None, understood=None, resolved=None, done=None)
"""How a turn passes that should not be one."""


class StageTruth(Struct, frozen=True, kw_only=True):
    """Which stages did right, whether the user got what was asked for, and the failure point of that."""

    outputs: tuple[StageOutput, ...]
    reached: bool
    supported: bool
    failure_point: FailurePoint


def stage_truth(intended: Passage, actual: Passage, *, supported: bool) -> StageTruth:
    """Compares each stage with what it would have made of the turn, had nothing gone wrong."""
    outputs = (
        StageOutput("false_wake", intended.awake == actual.awake),
        StageOutput("asr", intended.heard == actual.heard),
        StageOutput("nlu", intended.understood == actual.understood),
        StageOutput("entity_resolution", intended.resolved == actual.resolved),
        StageOutput("result", intended.done == actual.done),
    )
    reached = supported and intended.done == actual.done
    point = failure_point(outputs, reached=reached, supported=supported)
    return StageTruth(outputs=outputs, reached=reached, supported=supported, failure_point=point)
