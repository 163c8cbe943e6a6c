"""Failures: where the turns of a log have failed, to files."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.jobs import progress_bars
from services.cli.options import SettingsOption, StateOption, require_state, settings_of
from services.cli.turn_exports import FormatOption, chosen_format, read_log, stored_turns, write_export

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

    from failure_isolation.file import IsolatedTurn
    from services.settings import Settings


def register(app: typer.Typer) -> None:
    """Adds the commands to `rehear`."""
    app.command("isolate")(isolate_command)


def isolate_command(
    out: Annotated[Path, typer.Option("--out", help="Where the failure points go; '-': standard output.")],
    turns: Annotated[
        list[Path] | None,
        typer.Option(
            "--turns",
            help="Turn events to be read, JSON Lines, plain or gzipped; '-' reads standard input. Without "
            "it: the failure points that `rehear learn` and the workers have stored.",
        ),
    ] = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: Annotated[
        str | None, typer.Option(help="Of the stored failure points, only those of this assistant.")
    ] = None,
    file_format: FormatOption = None,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out turns whose failure point is less sure than this.")
    ] = 0.0,
    without_abstained: Annotated[
        bool,
        typer.Option("--without-abstained", help="Leave out turns of which the model abstains."),
    ] = False,
) -> None:
    """Tell where the turns of a log failed: false_wake, asr, nlu, entity_resolution, result; or correct.

    JSON Lines hold a line for each turn, in the order of the log; Parquet also holds the turns. A failure
    point is the earliest stage that failed and was not made good; later turns may tell.

    Example: `rehear isolate --state state --turns july.jsonl.gz --out failures.jsonl`
    """
    from failure_isolation.file import WRITERS
    from services.platform.database import open_database

    chosen_as = chosen_format(out, file_format, of_log=bool(turns), assistant=assistant, what="failures")
    chosen = settings_of(settings, state)
    require_state(chosen)
    engine = open_database(chosen.database_location)
    seen = _Seen()
    with progress_bars() as progress:
        if turns:
            isolated = _of_log(engine, chosen, turns, progress)
        else:
            isolated = stored_failures(engine, assistant, progress)
        kept = (
            one
            for one in seen.watch(isolated)
            if one.failure.confidence >= min_confidence and not (without_abstained and one.failure.abstains)
        )
        write_export(out, chosen_as, WRITERS, kept)
    typer.echo(seen.in_words, err=True)


def _of_log(
    engine: "Engine", settings: "Settings", files: Sequence[Path], progress: "Progress"
) -> "Iterator[IsolatedTurn]":
    from services.session_models.failures.answers import find_failures
    from services.session_models.failures.kind import KIND
    from services.session_models.in_use import model_in_use

    log = read_log(settings, files, progress, "sessions read")
    isolator_of = partial(model_in_use, engine, settings, KIND)
    return find_failures(log.turns, log.sessions, isolator_of, log.on_found)


def stored_failures(
    engine: "Engine", assistant: str | None, progress: "Progress"
) -> "Iterator[IsolatedTurn]":
    """The failure points that are stored of one assistant, or of all, with their turns."""
    from failure_isolation.store import FAILURE_STORE
    from services.session_models.failures.answers import read_failures

    def missing(whose: str) -> str:
        return (
            f"no failures{whose} are stored: `rehear learn` with --annotations that name failure points "
            "trains a failure model and reads what is stored"
        )

    return stored_turns(engine, assistant, FAILURE_STORE, read_failures, progress, missing)


class _Seen:
    """Counts failure points as they pass by."""

    def __init__(self) -> None:
        self._points: Counter[str] = Counter()
        self._abstained = 0

    def watch(self, isolated: "Iterable[IsolatedTurn]") -> "Iterator[IsolatedTurn]":
        """The same, counted."""
        for one in isolated:
            self._points[one.failure.failure_point] += 1
            self._abstained += one.failure.abstains
            yield one

    @property
    def in_words(self) -> str:
        """One line for people."""
        from failure_isolation.rule import FAILURE_POINTS

        shown = ", ".join(f"{self._points[point]:,} {point}" for point in FAILURE_POINTS)
        return f"{self._points.total():,} turns: {shown}; {self._abstained:,} abstained from"
