"""The simulated turn: what a log has of it, and what only the simulator knows."""

from msgspec import Struct

from services.simulator.gold import GoldTurn
from services.simulator.stage_truth import StageTruth
from streams.turn import TurnEvent


class SimulatedTurn(Struct, frozen=True):
    """A turn as the log has it, and the truth about it."""

    event: TurnEvent
    gold: GoldTurn
    stages: StageTruth | None = None  # where the stages can fail one by one; `gold` has its failure point
