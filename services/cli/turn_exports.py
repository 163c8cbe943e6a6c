"""What the commands share that write what models say of turns to a file: of a log, or as it is stored."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar, get_args

import typer
from msgspec import Struct

from services.cli.jobs import output_stream, progress_bars
from services.cli.options import SettingsOption, StateOption, require_state, settings_of
from services.errors import SettingsError, StateError
from streams.session import Session

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

    from labeling.turns.export import Format
    from services.session_models.kind import SessionModelKind, TurnVerdicts
    from services.settings import Settings
    from streams.turn import EventId, TurnEvent
    from streams.verdict import JudgedTurn

T = TypeVar("T")

OutOption = Annotated[Path, typer.Option("--out", help="File for the output; '-' writes to standard output.")]
LogOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--turns",
        help="Turn events to judge, JSON Lines, plain or gzipped; '-' reads standard input. Without it, the "
        "output is what `rehear learn` and the workers have stored.",
    ),
]
AssistantOption = Annotated[
    str | None, typer.Option(help="Only stored output of this assistant; by default of all assistants.")
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format", help="jsonl or parquet; by default parquet if the file's name ends in .parquet."
    ),
]
MinConfidenceOption = Annotated[
    float, typer.Option(min=0, max=1, help="Leave out what is predicted with less confidence than this.")
]


class TurnExport(Struct, frozen=True, kw_only=True):
    """What is to be exported, and where to: the options that all commands for exports have."""

    out: OutOption
    turns: LogOption = None
    state: StateOption = None
    settings: SettingsOption = None
    assistant: AssistantOption = None
    file_format: FormatOption = None


def write_turn_export(
    kind: "SessionModelKind[Any, Any]",
    export: TurnExport,
    keep: "Callable[[JudgedTurn[Any]], JudgedTurn[Any] | None]",
) -> None:
    """Writes what the models of a kind say of turns.

    Args:
        kind: of the models; its verdicts are of turns.
        export: of which turns, and where to.
        keep: what is written of a turn; None leaves it out.

    Raises:
        SettingsError: options that do not go together.
        StateError: nothing is stored, or an assistant of the log has no model.
    """
    from labeling.turns.export import write_turns
    from services.platform.database import open_database
    from streams.replaced_file import replaced_file

    verdicts = kind.turns
    if verdicts is None:
        raise TypeError(f"{kind.name} say nothing of turns")
    file_format = _chosen_format(export, kind.name)
    settings = settings_of(export.settings, export.state)
    require_state(settings)
    engine = open_database(settings.database_location)
    with progress_bars() as progress:
        if export.turns:
            from services.session_models.answers import judged_turns

            judged = log_answers(kind, engine, settings, export.turns, progress, judged_turns)
        else:
            judged = stored_turns(kind.name, verdicts, engine, export.assistant, progress)
        kept = (row for one in judged if (row := keep(one)) is not None)
        first = next(kept, None)  # an error comes before anything is written
        rows = kept if first is None else chain((first,), kept)
        target: AbstractContextManager[BinaryIO]
        target = output_stream(export.out) if str(export.out) == "-" else replaced_file(export.out)
        with target as stream:
            write_turns(stream, file_format, rows, verdicts.columns)


def log_answers(
    kind: "SessionModelKind[Any, Any]",
    engine: "Engine",
    settings: "Settings",
    files: Sequence[Path],
    progress: "Progress",
    said: "Callable[[Session, Any], Iterator[tuple[EventId, T]]]",
) -> Iterator[T]:
    """What the models in use say of the turns of a log, in its order, with a bar of its sessions.

    Args:
        kind: of the models.
        engine: of the database, which names the models.
        settings: of the sessions, and where the models lie.
        files: of the log.
        progress: shows how far it is.
        said: what a verdict says of the turns of a session, by event.
    """
    from services.platform.clock import now_ms
    from services.session_models.answers import session_answers
    from services.session_models.in_use import model_in_use
    from streams.session import sessionize
    from streams.turn_file import read_turns

    turns: list[TurnEvent] = [turn for file in files for turn in read_turns(file, now_ms)]
    sessions = sessionize(turns, settings.sessions.gap_ms)
    bar = progress.add_task("sessions judged", total=len(sessions))
    model_of = partial(model_in_use, engine, settings, kind)
    return session_answers(kind, turns, sessions, model_of, said, partial(progress.advance, bar))


def stored_turns(
    name: str, verdicts: "TurnVerdicts", engine: "Engine", assistant: str | None, progress: "Progress"
) -> "Iterator[JudgedTurn[Any]]":
    """What is stored of turns, one assistant after the other, with a bar for each.

    Args:
        name: of what is stored.
        verdicts: that are wanted.
        engine: of the database.
        assistant: only of this one; None: of all.
        progress: shows how far it is.

    Raises:
        StateError: nothing is stored.
    """
    from services.session_models.answers import stored_verdicts
    from streams.stores.database_schema import reading

    with reading(engine) as connection:
        known = verdicts.store.assistants(connection)
        if assistant is not None:
            known = [key for key in known if key == assistant]
        if not known:
            whose = "" if assistant is None else f" of assistant {assistant!r}"
            raise StateError(f"no {name}{whose} are stored: {verdicts.missing}")
        for assistant_id in known:
            bar = progress.add_task(f"sessions of {assistant_id}", total=None)
            yield from stored_verdicts(connection, assistant_id, verdicts, partial(progress.advance, bar))


def _chosen_format(export: TurnExport, what: str) -> "Format":
    """The format of the file; refuses options that do not go together."""
    from labeling.turns.export import Format, format_of

    chosen = format_of(export.out) if export.file_format is None else export.file_format
    if chosen not in get_args(Format):
        raise SettingsError(f"no format {chosen!r}: there are {', '.join(get_args(Format))}")
    if chosen == "parquet" and str(export.out) == "-":
        raise SettingsError("Parquet cannot go to standard output: name a file with --out")
    if export.turns and export.assistant is not None:
        raise SettingsError(f"--assistant chooses among stored {what}: leave it out where --turns are given")
    return "parquet" if chosen == "parquet" else "jsonl"
