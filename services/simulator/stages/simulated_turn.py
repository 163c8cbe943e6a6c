"""The simulated turn: what a log has of it, and what only the simulator knows."""

from msgspec import Struct

from services.simulator.stages.truth import StageTruth
from services.simulator.world.gold import GoldTurn
from streams.turn import TurnEvent


class SimulatedTurn(Struct, frozen=True):
    """A turn as the log has it, and the truth about it."""

    event: TurnEvent
    gold: GoldTurn
    stages: StageTruth | None = None  # where the stages can fail one by one; `gold` has its failure point
