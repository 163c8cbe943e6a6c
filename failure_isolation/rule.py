"""The failure rule: which failure point a turn has, by what each stage of the assistant made of it.

A turn goes through the stages in the order of `STAGES`. The failure point is the earliest stage that failed
and was not made good later on (Khaziev et al., NAACL 2022). Three cases, each with the outputs of its stages:

- **An error that propagates.** "play jazz" is heard as "play chess" (speech recognition wrong), taken for a
  game (understanding wrong), and a game starts (result wrong): the failure point is `asr`. The later stages
  did their best with what they were given.
- **An error that is made good.** "turn of the light" is heard for "turn off the light" (wrong), understood as
  switching off (right), and the light goes off (right): `correct`.
- **A request that is not supported.** "book a flight" is heard and understood (right), and the assistant says
  that it cannot do that: `correct`. No stage failed; there is nothing to mend but the assistant's range.
"""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct

from labeling.annotations.annotation import FailurePoint

Stage = Literal["false_wake", "asr", "nlu", "entity_resolution", "result"]

STAGES: Final[tuple[Stage, ...]] = ("false_wake", "asr", "nlu", "entity_resolution", "result")
"""In the order in which a request goes through them. Each is named by the failure that it may be."""

FAILURE_POINTS: Final[tuple[FailurePoint, ...]] = (*STAGES, "correct")
"""The classes, in the order of the stages."""


class StageOutput(Struct, frozen=True):
    """What a stage made of a turn, against what it would have been had nothing gone wrong."""

    stage: Stage
    right: bool


def failure_point(outputs: Sequence[StageOutput], *, reached: bool, supported: bool = True) -> FailurePoint:
    """The failure point of one turn.

    Args:
        outputs: of the stages that are known, in the order of `STAGES`, each at most once.
        reached: whether the user got what was asked for.
        supported: whether the assistant can do what was asked for at all.

    Raises:
        ValueError: the stages are out of order, or one comes twice.
    """
    order = [STAGES.index(output.stage) for output in outputs]
    if order != sorted(set(order)):
        raise ValueError(
            f"stages {', '.join(output.stage for output in outputs)}: give each once, in the order "
            f"{', '.join(STAGES)}"
        )
    if reached:
        return "correct"
    failed: FailurePoint | None = None
    for output in outputs:
        if output.right:
            failed = None  # whatever went wrong before has been made good
        elif failed is None:
            failed = output.stage
    if failed is not None:
        return failed
    return "result" if supported else "correct"
