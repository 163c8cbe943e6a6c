"""Small worlds of the closed loop, and a learner whose tables are made by hand."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rewrites import rewrite_row

from rewriting.table.rewrite import TableVersion
from services.evaluation.loop.history import LivedTurn, LoopHistory
from services.evaluation.loop.learner import ServedTable
from services.evaluation.loop.run import live_with
from services.evaluation.loop.score import LoopSettings
from services.simulator.loop.planting import PlantedRewrite
from services.simulator.loop.settings import LoopWorldSettings, load_world
from services.simulator.loop.world import LoopWorld
from services.simulator.world.language_understanding import FALLBACK
from streams.turn import AssistantId, TurnEvent

NEVER = 99
"""A day that no small world comes to."""


def small_world(**changes: dict[str, Any]) -> LoopWorldSettings:
    """The world that ships, in which nothing happens but what is changed: `switched={"day": 2}`."""
    quiet: dict[str, dict[str, Any]] = {
        "switched": {"day": NEVER},
        "renamed": {"day": NEVER},
        "withdrawn": {"day": NEVER},
        "released": {"day": NEVER},
        "planted": {"accounts": 0.0, "confirming": 0.0},
    }
    for part, values in changes.items():
        quiet[part] = {**quiet.get(part, {}), **values}
    settings = load_world()
    for part, values in quiet.items():
        changed = msgspec.structs.replace(getattr(settings, part), **values)
        settings = msgspec.structs.replace(settings, **{part: changed})
    return settings


def loop_settings(world: LoopWorldSettings, **changes: Any) -> LoopSettings:
    """A loop of three days, forty users, all of them treated."""
    settings = LoopSettings(
        seed=7, days=3, users=40, share=1.0, guards=True, learners=("by hand",), world=world
    )
    return msgspec.structs.replace(settings, **changes)


class HandMadeLearner:
    """Serves on each day the rows that it is made with: day -> source -> target."""

    name = "by hand"

    def __init__(self, world: LoopWorld, tables: Mapping[int, Mapping[str, str]]) -> None:
        self._assistant_id = AssistantId(world.assistant_id)
        self._tables = tables
        self._day = 0
        self.learned: list[TurnEvent] = []

    def learn(self, day: int, turns: Sequence[TurnEvent]) -> None:
        """Keeps the turns, and goes on to the next day."""
        self._day = day + 1
        self.learned += turns

    def table(self) -> ServedTable:
        """The rows of the day."""
        rows = [
            rewrite_row(source, target, assistant_id=self._assistant_id)
            for source, target in self._tables.get(self._day, {}).items()
        ]
        return ServedTable.of(self._assistant_id, TableVersion(self._day + 1), rows)

    def close(self) -> None:
        """Holds nothing."""


def lived_by_hand(
    settings: LoopSettings,
    tables: Mapping[int, Mapping[str, str]],
    planted: Sequence[PlantedRewrite] = (),
) -> tuple[LoopHistory, LoopWorld, list[TurnEvent]]:
    """What happens with tables made by hand; the log is that of all days but the last."""
    world = LoopWorld(settings.seed, settings.users, settings.world)
    learner = HandMadeLearner(world, tables)
    history = live_with(learner, settings, world, planted)
    return history, world, learner.learned


def turn_by_hand(**changes: Any) -> LivedTurn:
    """A turn of an honest, treated user on day 0, right as it was said."""
    turn = LivedTurn(
        day=0,
        user_id="u1",
        arm="treatment",
        honest=True,
        said="a",
        before="",
        meant=FALLBACK,
        run=None,
        right_as_said=True,
        right=True,
        called=False,
        meant_call=False,
    )
    return msgspec.structs.replace(turn, **changes)


def stub_checkout(folder: Path, script: str) -> Path:
    """A checkout whose `rehear` is a script of Python that does without Rehear."""
    command = folder / ".venv" / "bin" / "rehear"
    command.parent.mkdir(parents=True)
    command.write_text(f"#!{sys.executable} -S\n{script}")
    command.chmod(0o755)
    return folder
