"""What the commands share that write what is said of turns to a file: of a log, or as it is stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar, get_args

import typer
from msgspec import Struct

from services.cli.jobs import output_stream
from services.errors import SettingsError, StateError
from streams.session import Session
from streams.turn import AssistantId, TurnEvent

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Connection, Engine

    from labeling.turns.export import Format
    from services.settings import Settings
    from streams.stores.turn_store import TurnStore

T = TypeVar("T")

FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", help="jsonl or parquet; by default parquet if the file's name ends in .parquet."
    ),
]


class ReadLog(Struct, frozen=True):
    """A log whose turns are to be read."""

    turns: list[TurnEvent]
    sessions: list[Session]
    on_found: Callable[[int], None]  # moves the bar on by some sessions


def chosen_format(
    out: Path, wanted: str | None, *, of_log: bool, assistant: str | None, what: str
) -> "Format":
    """The format of a file; refuses options that do not go together.

    Args:
        out: where it goes; `-`: standard output.
        wanted: the format, as it is named; None: by the name of the file.
        of_log: whether turns are given.
        assistant: whose stored turns are wanted.
        what: is stored of them.
    """
    from labeling.turns.export import Format, format_of

    chosen = format_of(out) if wanted is None else wanted
    if chosen not in get_args(Format):
        raise SettingsError(f"no format {chosen!r}: there are {', '.join(get_args(Format))}")
    if chosen == "parquet" and str(out) == "-":
        raise SettingsError("Parquet cannot go to standard output: name a file with --out")
    if of_log and assistant is not None:
        raise SettingsError(f"--assistant chooses among stored {what}: leave it out where --turns are given")
    return "parquet" if chosen == "parquet" else "jsonl"


def read_log(settings: "Settings", files: Sequence[Path], progress: "Progress", title: str) -> ReadLog:
    """Turns files and the sessions that they are made of, with a bar of these."""
    from services.platform.clock import now_ms
    from streams.session import sessionize
    from streams.turn_file import read_turns

    turns = [turn for file in files for turn in read_turns(file, now_ms)]
    sessions = sessionize(turns, settings.sessions.gap_ms)
    bar = progress.add_task(title, total=len(sessions))
    return ReadLog(turns, sessions, lambda count: progress.advance(bar, count))


def stored_turns(
    engine: "Engine",
    assistant: str | None,
    store: "TurnStore[Any]",
    read: "Callable[[Connection, AssistantId, Callable[[int], None]], Iterator[T]]",
    progress: "Progress",
    missing: Callable[[str], str],
) -> Iterator[T]:
    """What is stored of turns, one assistant after the other, with a bar for each.

    Args:
        engine: of the database.
        assistant: only of this one; None: of all.
        store: of what is said.
        read: what is stored of one assistant; tells how many sessions it has read.
        progress: shows how far it is.
        missing: the error where nothing is stored; is given " of assistant ...", or nothing.
    """
    from streams.stores.database_schema import reading

    with reading(engine) as connection:
        known = store.assistants(connection)
        if assistant is not None:
            known = [key for key in known if key == assistant]
        if not known:
            raise StateError(missing("" if assistant is None else f" of assistant {assistant!r}"))
        for assistant_id in known:
            bar = progress.add_task(f"sessions of {assistant_id}", total=None)
            yield from read(connection, assistant_id, partial(progress.advance, bar))


def write_export(
    out: Path,
    file_format: "Format",
    writers: "Mapping[Format, Callable[[BinaryIO, Iterable[T]], None]]",
    turns: Iterator[T],
) -> None:
    """Writes turns to a file, which is replaced when all is written, or to standard output."""
    from labeling.labels.file import replaced_file

    first = next(turns, None)  # an error comes before anything is written
    rows = turns if first is None else chain((first,), turns)
    target: AbstractContextManager[BinaryIO]
    target = output_stream(out) if str(out) == "-" else replaced_file(out)
    with target as stream:
        writers[file_format](stream, rows)
