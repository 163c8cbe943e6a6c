"""A turn of the closed loop: the event, and what is true of it."""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from services.simulator.world.frame import Frame
from streams.turn import TurnEvent

Arm = Literal["control", "treatment"]


class Served(Struct, frozen=True, kw_only=True):
    """What the assistant is told before it runs a request."""

    arm: Arm
    text: str | None = None  # to be run instead; None: what was said
    rewrite_id: str | None = None
    withheld_rewrite_id: str | None = None
    table_version: int | None = None


Serve = Callable[[TurnEvent, TurnEvent | None], Served]
"""Asked with the request as it was heard and understood, and the turn before it in the visit, if any."""


class LoopTurn(Struct, frozen=True, kw_only=True):
    """One turn, and its truth."""

    event: TurnEvent
    day: int
    honest: bool  # not of a planted account
    meant: Frame  # what the user wants
    wish: str  # shared by all tries at one wish
    said: str  # as it was heard, normalised
    before: str  # the same of the try before, at the same wish; empty: it is the first
    right_as_said: bool  # whether the request as it was heard would have been met
    right: bool  # whether what was run met it
    called: bool  # a call was made
    meant_call: bool  # to whom it was meant
