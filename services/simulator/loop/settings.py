"""What the world of the closed loop is like, and what happens in it: one TOML file."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from services.errors import SimulationError
from services.simulator.world.signals import SignalRates

MOST_DAYS = 3_650

MOST_SONGS = 15
"""Of each kind: of every four songs one stays as it is."""


class LoopUsers(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What users do."""

    requests_per_day: float
    second_tries: float
    most_tries: int
    leaves: float
    protests: float


class Switched(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Songs in whose words another is meant from a day on."""

    day: int
    songs: int
    share: float
    sounds_alike: bool


class Renamed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Songs that are known by another name from a day on."""

    day: int
    songs: int
    old_name: float
    looks_up: float
    sounds_alike: bool


class Withdrawn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Songs that are gone from a day on."""

    day: int
    songs: int
    forgets: float


class Released(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A song that is there from a day on."""

    day: int
    users: float
    wishes: float


class Planted(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Accounts that forge rewrites from a day on."""

    day: int
    accounts: float
    confirming: float
    sounds_alike: bool
    middling_per_day: float
    rare_per_day: float


class LoopWorldSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The world's file; `world.toml` says what each value means.

    Raises:
        SimulationError: a value is out of range.
    """

    users: LoopUsers
    signals: SignalRates
    switched: Switched
    renamed: Renamed
    withdrawn: Withdrawn
    released: Released
    planted: Planted

    def __post_init__(self) -> None:
        shares: dict[str, float] = {
            "users.leaves": self.users.leaves,
            "users.protests": self.users.protests,
            "switched.share": self.switched.share,
            "renamed.old_name": self.renamed.old_name,
            "renamed.looks_up": self.renamed.looks_up,
            "withdrawn.forgets": self.withdrawn.forgets,
            "released.users": self.released.users,
            "released.wishes": self.released.wishes,
            "planted.accounts": self.planted.accounts,
            "planted.confirming": self.planted.confirming,
            **{f"signals.{name}": rate for name, rate in msgspec.structs.asdict(self.signals).items()},
        }
        checks: dict[str, tuple[float, float, float]] = {
            name: (value, 0, 1) for name, value in shares.items()
        }
        checks["users.requests_per_day"] = (self.users.requests_per_day, 0, 200)
        checks["users.second_tries"] = (self.users.second_tries, 0, 2)
        checks["users.most_tries"] = (self.users.most_tries, 1, 20)
        for name in ("switched", "renamed", "withdrawn", "released", "planted"):
            checks[f"{name}.day"] = (getattr(self, name).day, 0, MOST_DAYS)
        for name in ("switched", "renamed", "withdrawn"):
            checks[f"{name}.songs"] = (getattr(self, name).songs, 0, MOST_SONGS)
        for name in ("middling_per_day", "rare_per_day"):
            checks[f"planted.{name}"] = (getattr(self.planted, name), 0, 1e6)
        for name, (value, least, most) in checks.items():
            if not least <= value <= most:
                raise SimulationError(
                    f"{name} of the loop's world is {value}: give a number from {least:g} to {most:g}"
                )


def load_world(path: Path | None = None) -> LoopWorldSettings:
    """Reads a world's file; by default the one that ships.

    Raises:
        SimulationError: the file cannot be read, or a value or name is wrong or missing.
    """
    where = "the loop's world" if path is None else f"world file {path}"
    try:
        source = files("services.simulator.loop") / "world.toml" if path is None else path
        values: dict[str, Any] = tomllib.loads(source.read_text("utf-8"))
        return msgspec.convert(values, LoopWorldSettings)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise SimulationError(f"{where}: {error}") from error
