"""`rehear learn`: all that is learned from log files, with an option for each kind of session model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.jobs import progress_bars
from services.cli.options import SettingsOption, StateOption, TurnsOption, settings_of
from services.cli.shared_options import with_switches
from services.errors import SettingsError
from services.session_models.kind import SessionModelKind
from services.session_models.registry import SESSION_MODELS

if TYPE_CHECKING:
    from rich.progress import Progress
    from sqlalchemy import Engine

    from labeling.annotations.annotation import Annotations
    from labeling.annotations.annotation_file import AnnotationLine
    from services.settings import Settings
    from streams.turn import AssistantId, EventId


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("learn")(learn)


@with_switches((kind.name, kind.learn_help) for kind in SESSION_MODELS)
def learn(
    turns: TurnsOption,
    state: StateOption = None,
    settings: SettingsOption = None,
    *,
    online: Annotated[
        bool, typer.Option(help="Train the encoder and the ranker of online rewriting too (minutes).")
    ] = True,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(
            help="Human annotations of turns, JSON Lines, plain or gzipped; '-' reads standard input. The "
            "rephrase detector, the label model and the failure model learn from them.",
        ),
    ] = None,
    pass_over_unknown: Annotated[
        bool,
        typer.Option(
            "--pass-over-unknown",
            help="Skip annotations whose event is in no stored session of these assistants, for example "
            "because they belong to another log. By default they are an error.",
        ),
    ] = False,
    **session_models: bool,
) -> None:
    """Learn from log files: sessions, chains, the rewrite table, rephrases, labels, failures, online models.

    What is known already changes nothing, so files may be given again, and in any order. Annotations are not
    kept: give them each time.

    Example: `rehear learn --turns june.jsonl.gz --turns july.jsonl.gz --state state`
    """
    from labeling.annotations.annotation_file import read_annotation_lines
    from services.jobs.turn_logs import learn_from_files
    from services.platform.clock import now_ms
    from services.platform.database import open_database

    kinds = [kind for kind in SESSION_MODELS if session_models[kind.name]]
    if annotations and not kinds:
        learners = " and ".join(f"the {kind.title}" for kind in SESSION_MODELS)
        options = " or ".join(f"--no-{kind.name}" for kind in SESSION_MODELS)
        raise SettingsError(f"--annotations teach {learners}: leave out {options}")
    if sum(str(file) == "-" for file in (*turns, *(annotations or ()))) > 1:
        raise SettingsError("standard input can be read once only: give one '-' at most, and name files")
    chosen = settings_of(settings, state)
    lines = read_annotation_lines(*(annotations or ()))
    engine = open_database(chosen.database_location)
    with progress_bars() as progress:
        summary = learn_from_files(engine, chosen, turns, now_ms, progress)
    print(
        f"{summary.turns:,} turns ({summary.new_turns:,} new) of {len(summary.assistants)} assistant(s): "
        f"{summary.live_rewrites:,} live rewrites in {chosen.database_shown}"
    )
    if annotations:
        _check_events(engine, summary.assistants, lines, pass_over_unknown=pass_over_unknown)
    said = {event: line.annotation for event, line in lines.items()}
    for assistant_id in summary.assistants:
        _train(engine, chosen, assistant_id, kinds, said, online=online)


def _check_events(
    engine: "Engine",
    assistants: "Sequence[AssistantId]",
    lines: "Mapping[EventId, AnnotationLine]",
    *,
    pass_over_unknown: bool,
) -> None:
    """Refuses annotations of events that no session has, or says how many there are."""
    from labeling.annotations.annotation_file import GIVE_ALL_LOGS, require_known_events
    from services.jobs.turn_logs import events_not_stored

    missing = events_not_stored(engine, assistants, lines)
    if not pass_over_unknown:
        remedy = f"{GIVE_ALL_LOGS}; or leave such lines out with --pass-over-unknown"
        require_known_events(lines.values(), lines.keys() - missing, "the stored sessions", remedy)
    warning = f"; {len(missing):,} left out: no session has their events" if missing else ""
    print(f"{len(lines):,} annotations{warning}")


def _train(
    engine: "Engine",
    settings: "Settings",
    assistant_id: "AssistantId",
    kinds: Sequence[SessionModelKind[Any, Any]],
    annotations: "Annotations",
    *,
    online: bool,
) -> None:
    """Trains the models of one assistant, and says what was learned."""
    from services.assistant_work import AssistantWork
    from services.platform.clock import now_ms
    from services.session_models.training import learn as learn_kind

    def work(progress: "Progress") -> AssistantWork:
        return AssistantWork(
            engine=engine,
            settings=settings,
            assistant_id=assistant_id,
            clock_ms=now_ms,
            progress=progress,
        )

    for kind in kinds:
        with progress_bars() as progress:
            learned = learn_kind(kind, work(progress), annotations)
        print(f"{assistant_id}: {learned.in_words}")
    with progress_bars() as progress:
        if not online:
            from services.jobs.row_judging import judge_rows

            judge_rows(work(progress))
            return
        from services.jobs.online_models import learn_online

        found = learn_online(work(progress))
    print(f"{assistant_id}: {found.in_words}")
