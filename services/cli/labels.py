"""Labels: what the turns of a log are about, and how they went; to files, for a team's own training."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
import typer

from services.cli.jobs import output_stream, progress_bars
from services.cli.options import SettingsOption, StateOption, require_state, settings_of
from services.errors import SettingsError, StateError
from streams.turn import AssistantId

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Connection, Engine

    from labeling.labelled_turn import LabelledTurn
    from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the commands to `rehear`."""
    app.command("label")(label_command)


def label_command(
    out: Annotated[Path, typer.Option("--out", help="Where the labels go; '-': standard output.")],
    turns: Annotated[
        list[Path] | None,
        typer.Option(
            "--turns",
            help="Turn events to be labelled, JSON Lines, plain or gzipped; '-' reads standard input. "
            "Without it: the labels that `rehear learn` and the workers have stored.",
        ),
    ] = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: Annotated[
        str | None, typer.Option(help="Of the stored labels, only those of this assistant.")
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format", help="jsonl or parquet; by default parquet if the file's name ends in .parquet."
        ),
    ] = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out labels that are less sure than this.")
    ] = 0.0,
    without_abstained: Annotated[
        bool,
        typer.Option("--without-abstained", help="Leave out labels below the precision of the settings."),
    ] = False,
) -> None:
    """Label the turns of a log: goals and their success, defects, satisfaction, domains, intents and slots.

    JSON Lines hold a line for each turn, in the order of the log; Parquet also holds the turns, and
    `datasets.load_dataset("parquet", data_files=FILE)` reads it as it is. A label that is left out, or that
    nothing has taught, is null. Later turns may tell: this is for labelling a log, not for answering.

    Example: `rehear label --state state --turns july.jsonl.gz --out labels.parquet --without-abstained`
    """
    from labeling.label_file import WRITERS, Format, format_of, replaced_file
    from labeling.labelled_turn import LabelledTurn, without_unsure
    from services.database import open_database

    if file_format is None:
        file_format = format_of(out)
    if file_format not in WRITERS:
        raise SettingsError(f"no format {file_format!r}: there are {', '.join(get_args(Format))}")
    if file_format == "parquet" and str(out) == "-":
        raise SettingsError("Parquet cannot go to standard output: name a file with --out")
    if turns and assistant is not None:
        raise SettingsError("--assistant chooses among stored labels: leave it out where --turns are given")
    chosen = settings_of(settings, state)
    require_state(chosen)
    engine = open_database(chosen.database_location)
    seen = _Seen()
    with progress_bars() as progress:
        if turns:
            labelled: Iterable[LabelledTurn] = _of_log(engine, chosen, turns, progress)
        else:
            labelled = _stored(engine, assistant, progress)
        kept = (
            msgspec.structs.replace(
                one,
                label=without_unsure(
                    one.label, min_confidence=min_confidence, abstained_too=not without_abstained
                ),
            )
            for one in seen.watch(labelled)
        )
        first = next(kept, None)  # an error comes before anything is written
        rows = kept if first is None else chain((first,), kept)
        with output_stream(out) if str(out) == "-" else replaced_file(out) as stream:
            WRITERS[file_format](stream, rows)
    typer.echo(seen.in_words, err=True)


def _of_log(
    engine: "Engine", settings: "Settings", files: Sequence[Path], progress: "Progress"
) -> "Iterator[LabelledTurn]":
    from services.label_finding import find_labels
    from services.label_generation import current_generator
    from streams.session import sessionize
    from streams.turn_file import read_turns

    log = [turn for file in files for turn in read_turns(file)]
    sessions = sessionize(log, settings.sessions.gap_ms)
    bar = progress.add_task("sessions labelled", total=len(sessions))
    generator_of = partial(current_generator, engine, settings)
    return find_labels(log, sessions, generator_of, lambda count: progress.advance(bar, count))


def _stored(engine: "Engine", assistant: str | None, progress: "Progress") -> "Iterator[LabelledTurn]":
    from labeling.label_store import LABEL_STORE
    from streams.database_schema import reading

    with reading(engine) as connection:
        known = LABEL_STORE.assistants(connection)
        if assistant is not None:
            known = [key for key in known if key == assistant]
        if not known:
            whose = "" if assistant is None else f" of assistant {assistant!r}"
            raise StateError(
                f"no labels{whose} are stored: `rehear learn` trains a label model and labels what is stored"
            )
        for assistant_id in known:
            yield from _stored_of(connection, assistant_id, progress)


def _stored_of(
    connection: "Connection", assistant_id: AssistantId, progress: "Progress"
) -> "Iterator[LabelledTurn]":
    from services.label_finding import read_labels

    bar = progress.add_task(f"sessions of {assistant_id}", total=None)
    return read_labels(connection, assistant_id, lambda count: progress.advance(bar, count))


class _Seen:
    """Counts labels as they pass by."""

    def __init__(self) -> None:
        self._turns = 0
        self._goals = 0
        self._given: set[str] = set()

    def watch(self, labelled: "Iterable[LabelledTurn]") -> "Iterator[LabelledTurn]":
        """The same, counted."""
        from labeling.labelled_turn import FIELDS_OF, given_labels

        for one in labelled:
            self._turns += 1
            self._goals += one.label.goal_start
            if len(self._given) < len(FIELDS_OF):
                self._given |= given_labels(one.label)
            yield one

    @property
    def in_words(self) -> str:
        """One line for people."""
        from labeling.labelled_turn import FIELDS_OF

        missing = [name for name in FIELDS_OF if name not in self._given]
        said = f"{self._turns:,} turns labelled, {self._goals:,} goals"
        if missing and self._turns:
            said += f"; not given, since neither the log nor annotations taught them: {', '.join(missing)}"
        return said
