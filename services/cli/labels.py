"""Labels: what the turns of a log are about, and how they went; to files, for a team's own training."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from services.cli.jobs import progress_bars
from services.cli.options import SettingsOption, StateOption, require_state, settings_of
from services.cli.turn_exports import FormatOption, chosen_format, read_log, stored_turns, write_export

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

    from labeling.labels.labelled_turn import LabelledTurn
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
    file_format: FormatOption = None,
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
    from labeling.labels.file import WRITERS
    from labeling.labels.labelled_turn import LabelledTurn, without_unsure
    from services.platform.database import open_database

    chosen_as = chosen_format(out, file_format, of_log=bool(turns), assistant=assistant, what="labels")
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
        write_export(out, chosen_as, WRITERS, kept)
    typer.echo(seen.in_words, err=True)


def _of_log(
    engine: "Engine", settings: "Settings", files: Sequence[Path], progress: "Progress"
) -> "Iterator[LabelledTurn]":
    from services.session_models.in_use import model_in_use
    from services.session_models.labels.answers import find_labels
    from services.session_models.labels.kind import KIND

    log = read_log(settings, files, progress, "sessions labelled")
    generator_of = partial(model_in_use, engine, settings, KIND)
    return find_labels(log.turns, log.sessions, generator_of, log.on_found)


def _stored(engine: "Engine", assistant: str | None, progress: "Progress") -> "Iterator[LabelledTurn]":
    from labeling.labels.store import LABEL_STORE
    from services.session_models.labels.answers import read_labels

    def missing(whose: str) -> str:
        return f"no labels{whose} are stored: `rehear learn` trains a label model and labels what is stored"

    return stored_turns(engine, assistant, LABEL_STORE, read_labels, progress, missing)


class _Seen:
    """Counts labels as they pass by."""

    def __init__(self) -> None:
        self._turns = 0
        self._goals = 0
        self._given: set[str] = set()

    def watch(self, labelled: "Iterable[LabelledTurn]") -> "Iterator[LabelledTurn]":
        """The same, counted."""
        from labeling.labels.labelled_turn import FIELDS_OF, given_labels

        for one in labelled:
            self._turns += 1
            self._goals += one.label.goal_start
            if len(self._given) < len(FIELDS_OF):
                self._given |= given_labels(one.label)
            yield one

    @property
    def in_words(self) -> str:
        """One line for people."""
        from labeling.labels.labelled_turn import FIELDS_OF

        missing = [name for name in FIELDS_OF if name not in self._given]
        said = f"{self._turns:,} turns labelled, {self._goals:,} goals"
        if missing and self._turns:
            said += f"; not given, since neither the log nor annotations taught them: {', '.join(missing)}"
        return said
