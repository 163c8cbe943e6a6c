"""Reports for the team of an assistant."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from services.cli.evaluation_options import ReportOption, ResamplesOption, SeedOption
from services.cli.jobs import progress_bars
from services.cli.opened_table import OpenedTable
from services.cli.options import AssistantOption, SettingsOption, StateOption, require_state, settings_of
from services.errors import SettingsError

if TYPE_CHECKING:
    from failure_isolation.turn_failure import TurnFailure
    from services.settings import Settings
    from streams.verdict import JudgedTurn

report = typer.Typer(no_args_is_help=True, help="Reports on an assistant, for the team that makes it.")


def register(app: typer.Typer) -> None:
    """Adds the commands to `rehear`."""
    report.command("failures")(report_failures_command)
    report.command("guards")(report_guards_command)
    app.add_typer(report, name="report")


def report_failures_command(
    out: ReportOption,
    turns: Annotated[
        list[Path] | None,
        typer.Option(
            help="Turn events, JSON Lines, plain or gzipped; without them: what `rehear learn` and the "
            "workers have stored."
        ),
    ] = None,
    failures: Annotated[
        list[Path] | None, typer.Option(help="Output of `rehear isolate` on these turns.")
    ] = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: Annotated[
        str | None, typer.Option(help="Only stored failure points of this assistant.")
    ] = None,
    resamples: ResamplesOption = 1000,
    seed: SeedOption = 0,
) -> None:
    """Where the assistant fails: by stage, domain, intent, device, locale and day, with example dialogues.

    Example: `rehear report failures --state state --out report`
    """
    from services.evaluation.failures.overview import failure_overview
    from services.evaluation.failures.overview_page import failure_overview_report

    if bool(turns) != bool(failures):
        raise SettingsError("--turns and --failures belong together: give both, or neither")
    if turns and assistant is not None:
        raise SettingsError("--assistant chooses among what is stored: leave it out where --turns are given")
    chosen = settings_of(settings, state)
    if turns and failures:
        isolated = _of_files(turns, failures, chosen)
    else:
        isolated = _stored(chosen, assistant)
    overview = failure_overview(isolated, resamples=resamples, seed=seed)
    told = failure_overview_report(overview)
    told.show(told.write(out), Console())


def report_guards_command(
    out: ReportOption,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    limit: Annotated[int, typer.Option(min=0, help="Pairs to list for each reason.")] = 100,
) -> None:
    """What the guards hold back, by reason, and how the rows fare that they let through.

    Held back are requests that users made in a row and that are no rewrite. Both are told as of when the log
    was last learned from; `rehear table check` judges pairs anew.

    Example: `rehear report guards --state state --out report`
    """
    from rewriting.guards.allowed_rewrites import allowed_rewrites
    from rewriting.guards.judged_rewrites import judged_rewrites
    from rewriting.guards.refused_rewrites import refused_rewrites
    from services.evaluation.rewrites.guard_overview import guard_overview, guard_report
    from streams.stores.database_schema import reading

    opened = OpenedTable(settings_of(settings, state), assistant)
    with reading(opened.engine) as connection:
        refused = refused_rewrites(connection, opened.assistant)
        allowed = allowed_rewrites(connection, opened.assistant)
        judged = judged_rewrites(connection, opened.assistant)
    told = guard_report(guard_overview(opened.assistant, refused, allowed, judged, most_shown=limit))
    told.show(told.write(out), Console())


def _of_files(
    turns: Sequence[Path], failures: Sequence[Path], settings: "Settings"
) -> "list[JudgedTurn[TurnFailure]]":
    from services.evaluation.common.same_events import aligned_lines
    from services.evaluation.failures.file import read_failures
    from services.platform.clock import now_ms
    from streams.session import sessionize
    from streams.turn_file import read_turns
    from streams.verdict import JudgedTurn

    log = [turn for file in turns for turn in read_turns(file, now_ms)]
    said = [one for file in failures for one in read_failures(file)]
    by_event = {str(one.event_id): one for one in aligned_lines(log, said, "failures")}
    return [
        JudgedTurn(turn, session.session_id, by_event[turn.event_id])
        for session in sessionize(log, settings.sessions.gap_ms)
        for turn in session.turns
    ]


def _stored(settings: "Settings", assistant: str | None) -> "list[JudgedTurn[TurnFailure]]":
    from services.cli.turn_exports import stored_turns
    from services.platform.database import open_database
    from services.session_models.failures.kind import KIND, TURNS

    require_state(settings)
    with progress_bars() as progress:
        engine = open_database(settings.database_location)
        return list(stored_turns(KIND.name, TURNS, engine, assistant, progress))
