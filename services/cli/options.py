"""Options that several commands share, and the settings they lead to."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from services.errors import StateError
from services.settings import Settings, load_settings

StateOption = Annotated[
    Path | None,
    typer.Option("--state", help="Folder of what Rehear keeps: the database, the broker's data, logs."),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="Settings file (TOML). Environment variables REHEAR_... override single values."
    ),
]
TurnsOption = Annotated[
    list[Path],
    typer.Option("--turns", help="Turn events, JSON Lines, plain or gzipped; '-' reads standard input."),
]
AssistantOption = Annotated[
    str | None,
    typer.Option("--assistant", help="Whose table; needed when there are several assistants."),
]


def settings_of(path: Path | None, state: Path | None) -> Settings:
    """The settings of a command; a state folder that was given goes before the one in the settings."""
    settings = load_settings(path, os.environ)
    return settings if state is None else msgspec.structs.replace(settings, state=str(state))


def require_state(settings: Settings) -> None:
    """Refuses to read from a database that was never made.

    Raises:
        StateError: there is none.
    """
    location = settings.database_location
    if "://" not in location and not Path(location).exists():
        raise StateError(f"{location} does not exist: make it with `rehear learn` or `rehear up`")
