"""Options that several commands share, and the settings they lead to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from services.errors import SettingsError, StateError
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
    typer.Option("--assistant", help="Assistant whose table is meant; needed when there are several."),
]

ONE_SYSTEM = "rehear"
"""Name of the only system whose output is scored."""


def settings_alone(path: Path | None) -> Settings:
    """The settings of a command that keeps nothing: neither the state folder nor the database is looked at.

    Raises:
        SettingsError: they cannot be read or used.
    """
    return load_settings(path, os.environ)


def settings_of(path: Path | None, state: Path | None) -> Settings:
    """The settings of a command; a state folder that was given goes before the one in the settings.

    Raises:
        SettingsError: the settings cannot be read or used.
        StateError: a file is in the place of the state folder, or of that of the database.
    """
    settings = load_settings(path, os.environ)
    if state is not None:
        settings = msgspec.structs.replace(settings, state=str(state))
    require_folder(Path(settings.state), "the state folder", "with --state, or `state` in the settings")
    location = settings.database_location
    if "://" not in location:
        require_folder(Path(location).parent, "the folder of the database", "by `database` in the settings")
    return settings


def require_folder(path: Path, what: str, option: str) -> None:
    """Refuses a path that is no folder and cannot become one, since it or a folder above it is a file.

    Args:
        path: of a folder that may not be there yet.
        what: what it is, for the message.
        option: with what another is named, for the message.

    Raises:
        StateError: a file is in its place.
    """
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if os.path.lexists(place):
            kind = "a file" if place.exists() else "a link that leads nowhere"
            above = "" if place == path else f": {place}"
            raise StateError(
                f"{what} cannot be {path}{above} is {kind}, not a folder; name another folder {option}, "
                f"or move {place} away"
            )


def require_state(settings: Settings) -> None:
    """Refuses to read from a database that was never made.

    Raises:
        StateError: there is none.
    """
    location = settings.database_location
    if "://" not in location and not Path(location).exists():
        raise StateError(f"{location} does not exist: make it with `rehear learn` or `rehear up`")


def named_files(given: Sequence[str], option: str) -> dict[str, Path]:
    """Files by their names, in order.

    Args:
        given: `NAME=FILE`, or a file: it is called `rehear` if it is the only one, else as the file is.
        option: with which they are given, for messages.

    Raises:
        SettingsError: a name is empty, or occurs twice.
    """
    files: dict[str, Path] = {}
    for one in given:
        name, equals, path = one.partition("=")
        if not equals or Path(one).exists():
            name, path = ONE_SYSTEM if len(given) == 1 else Path(one).name.split(".")[0], one
        if not name or not path:
            raise SettingsError(f"{option} {one!r}: give NAME=FILE, or a file")
        if name in files:
            raise SettingsError(f"{option}: two are called {name!r}: name each, as NAME=FILE")
        files[name] = Path(path)
    return files
