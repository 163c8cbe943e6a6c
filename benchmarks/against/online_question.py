"""How much CPU does a lookup cost the server where models work the answer out?"""

import random
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.against.asked_lookups import FIGURES, ask_in_turn
from benchmarks.against.errors import QuestionError
from benchmarks.against.log_file import write_log
from benchmarks.against.request_body import request_body
from benchmarks.against.serving import copied_state, serving
from benchmarks.against.side import Side, SideName
from benchmarks.report import Cell
from services.platform.clock import now_ms
from services.simulator import SimulationSettings
from services.simulator.simulation import simulate
from streams.session import sessionize
from streams.turn import TurnEvent
from streams.turn_file import read_turns

COUNT = 1_500
"""Lookups of a run, some ten milliseconds each."""

QUICK_COUNT = 100
ASKED = 2_000  # different requests, at most; after that they come again

SMALL = {"REHEAR_ENCODER__TRAIN": "false", "REHEAR_RANKER__TREES": "100", "REHEAR_RANKER__THREADS": "1"}
"""With which a state is made where none is given. The encoder is as large as a trained one, and as slow."""

UNCUT = {"REHEAR_ONLINE__BUDGET_MS": "60000"}
"""No answer is cut short: a slower side must not look cheaper because it gave up."""


class OnlineQuestion:
    """`POST /v1/rewrite` to `rehear serve`, with the turns of a log and those before them in their sessions.

    Args:
        states: a state with models for each side; None: each side learns a simulated log.
        turns: the log whose turns are asked; needed with states.
        count: of lookups in a run.
        simulation: of the log where none is given; its test days are asked.

    Raises:
        QuestionError: there are states without a log, or a log without states.
    """

    name = "online"
    question = "how much CPU does a lookup cost the server where models work the answer out?"
    figures = FIGURES

    def __init__(
        self,
        states: Mapping[SideName, Path] | None = None,
        turns: Path | None = None,
        count: int = COUNT,
        simulation: SimulationSettings | None = None,
    ) -> None:
        if (states is None) != (turns is None):
            raise QuestionError("give --state-ours, --state-theirs and --turns together, or none of them")
        self._states = dict(states or {})
        self._turns = turns
        self._simulation = simulation or SimulationSettings(users=120, days=10, test_days=1)
        self._count = count
        self._bodies: list[bytes] = []
        self._sizes: dict[str, Cell] = {"lookups per run": count}

    @property
    def sizes(self) -> dict[str, Cell]:
        """How much is asked."""
        return self._sizes

    def prepare(self, sides: Sequence[Side]) -> None:
        """Copies the states, or learns them, and finds out how many requests each side rewrites."""
        if self._turns is not None:
            asked = list(read_turns(self._turns, now_ms))
            for side in sides:
                self._states[side.name] = copied_state(self._states[side.name], side)
        else:
            asked = self._learn(sides)
        bodies = [
            request_body(turn, session.turns[:i])
            for session in sessionize(asked)
            for i, turn in enumerate(session.turns)
        ]
        self._bodies = random.Random(1).sample(bodies, min(len(bodies), ASKED))
        self._sizes |= {"turns of the log": len(asked), "different requests": len(self._bodies)}
        for side in sides:
            with serving(side, self._states[side.name], UNCUT) as server:
                rewritten = sum(server.rewrites(self._bodies))
            self._sizes[f"rewritten by {side.name}"] = f"{rewritten / len(self._bodies):.1%}"

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """Starts servers afresh, and asks them in turn."""
        with ExitStack() as stack:
            servers = [stack.enter_context(serving(side, self._states[side.name], UNCUT)) for side in sides]
            return ask_in_turn(servers, self._bodies, self._count)

    def _learn(self, sides: Sequence[Side]) -> list[TurnEvent]:
        """Has each side learn the simulated log without its test days, and gives the turns of these."""
        turns = [turn.event for turn in simulate(self._simulation)]
        test_ms = self._simulation.start_ms + self._simulation.days * 86_400_000
        for side in sides:
            log, state = side.folder / "turns.jsonl", side.folder / "state"
            write_log((turn for turn in turns if turn.ts_ms < test_ms), log)
            without = ("--no-rephrases", "--no-labels", "--no-failures")
            side.run("learn", "--turns", str(log), "--state", str(state), *without, settings=SMALL)
            self._states[side.name] = state
        return [turn for turn in turns if turn.ts_ms >= test_ms]
