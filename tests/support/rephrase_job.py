"""Commands that learn rephrases of the known worlds, by a small detector."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from rephrase_world import WISHES, WorldSession
from report_command import run_command
from tiny_encoder import write_tiny_base


class Job(Struct, frozen=True):
    """What a command is called with: settings for a small detector, and where it keeps what it learns."""

    settings: Path
    state: Path

    @property
    def options(self) -> tuple[str, ...]:
        return ("--settings", str(self.settings), "--state", str(self.state))

    def rephrases(self, turns: Path, out: Path) -> list[dict[str, Any]]:
        """What is said of each event."""
        run_command("rephrases", "--turns", turns, "--out", out, *self.options)
        return [json.loads(line) for line in out.read_text().splitlines()]


def small_detector(folder: Path) -> Path:
    """Settings for a transformer that learns the worlds in seconds."""
    words = {word for wish in WISHES for word in wish.split()} | {"please", "okay", "sorry", "another", "one"}
    base = write_tiny_base(folder / "base", words)
    file = folder / "rehear.toml"
    file.write_text(
        f"[rephrases]\nbase = {json.dumps(str(base))}\nlayers = 1\nwindow_turns = 2\nlearning_rate = 6e-3\n"
    )
    return file


def truth_of(world: Sequence[WorldSession]) -> dict[str, str | None]:
    """By event id the one that it says again."""
    return {
        turn.event_id: None if source is None else session.turns[source].event_id
        for session in world
        for turn, source in zip(session.turns, session.tries_again, strict=True)
    }


def sources(lines: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """By event id the one that it is said to say again."""
    return {line["event_id"]: line["rephrase_of"] for line in lines}


def f1(world: Sequence[WorldSession], found: Mapping[str, str | None]) -> float:
    truth = truth_of(world)
    right = sum(source is not None and found[event_id] == source for event_id, source in truth.items())
    told = sum(source is not None for source in found.values())
    return 2 * right / (told + sum(source is not None for source in truth.values()))
