"""A simulated assistant and its users: logs for the demo, the tests and the benchmarks.

What is learned from these logs sees turn events alone; what the simulator knows beside them is in the gold.
"""

from services.simulator.generated_log import GeneratedLogSettings, generate_turns
from services.simulator.planted_log import PlantedPair, planted_log
from services.simulator.simulation import simulate
from services.simulator.simulation_files import SimulationFiles, write_simulation
from services.simulator.stages.simulated_turn import SimulatedTurn
from services.simulator.world.gold import GoldTurn
from services.simulator.world.settings import SimulationSettings

__all__ = [
    "GeneratedLogSettings",
    "GoldTurn",
    "PlantedPair",
    "SimulatedTurn",
    "SimulationFiles",
    "SimulationSettings",
    "generate_turns",
    "planted_log",
    "simulate",
    "write_simulation",
]
