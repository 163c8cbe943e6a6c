"""Offline jobs: learn, rewrite, evaluate, simulate."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.cli.evaluation_options import RewriteOptions
from services.cli.options import (
    ONE_SYSTEM,
    SettingsOption,
    StateOption,
    TurnsOption,
    require_state,
    settings_of,
)
from services.cli.shared_options import with_options_of

evaluate = typer.Typer(no_args_is_help=True, help="Score what Rehear does against gold, beside baselines.")


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(rewrite)
    app.add_typer(evaluate, name="evaluate")
    app.command()(simulate)
    app.command()(schema)


@contextmanager
def output_stream(path: Path) -> Iterator[BinaryIO]:
    """Where a command writes its lines; `-` is standard output."""
    if str(path) == "-":
        yield sys.stdout.buffer
        return
    with path.open("wb") as stream:
        yield stream


def progress_bars() -> Progress:
    """Progress bars on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )


def rewrite(
    turns: TurnsOption,
    out: Annotated[
        Path, typer.Option("--out", help="File for the answers, JSON Lines; '-' writes to standard output.")
    ],
    state: StateOption = None,
    settings: SettingsOption = None,
) -> None:
    """Replay a log: what the lookup API would have answered at each turn.

    Example: `rehear rewrite --state state --turns test.jsonl.gz --out answers.jsonl`
    """
    from services.jobs.rewrite_replay import replay_turns
    from services.jobs.served_layers import served_layers
    from services.platform.clock import now_ms
    from services.platform.database import open_database
    from streams.stores.database_schema import reading
    from streams.turn_file import read_turns

    chosen = settings_of(settings, state)
    require_state(chosen)
    engine = open_database(chosen.database_location)
    layers = served_layers(engine, chosen, now_ms)
    for assistant_id, trouble in sorted(layers.troubles.items()):
        typer.echo(
            f"warning: the models of {assistant_id} cannot be loaded: {trouble}. As in the lookup API, only "
            "those rows of the table are served that the ranker has accepted for requests like these. Put "
            "the models back, or learn them again",
            err=True,
        )
    log = [turn for file in turns for turn in read_turns(file, now_ms)]
    n_rewritten = 0
    with output_stream(out) as stream, progress_bars() as progress, reading(engine) as connection:
        replay = replay_turns(log, layers, connection, chosen.sessions.gap_ms)
        for replayed in progress.track(replay, total=len(log), description="replaying"):
            n_rewritten += replayed.rewrite is not None
            stream.write(msgspec.json.encode(replayed) + b"\n")
    typer.echo(f"{n_rewritten:,} of {len(log):,} turns would have been rewritten", err=True)


@evaluate.command("rewrites")
@with_options_of(RewriteOptions)
def evaluate_rewrites_command(
    given: RewriteOptions,
    rewrites: Annotated[Path, typer.Option(help="Output of `rehear rewrite` on the test log.")],
    train: Annotated[
        list[Path] | None, typer.Option(help="Training logs, from which a baseline learns.")
    ] = None,
) -> None:
    """Win, loss, win/loss, defect reduction and trigger rate, with intervals, beside baselines.

    Example: `rehear evaluate rewrites --turns test.jsonl.gz --gold gold.jsonl.gz
    --understanding nlu.jsonl.gz --rewrites answers.jsonl --train train.jsonl.gz --out report`
    """
    from services.evaluation.common.evaluation_run import run_evaluation
    from services.evaluation.common.understanding import load_understanding
    from services.evaluation.rewrites.evaluation import RewriteEvaluation

    assistant = load_understanding(given.understanding)
    run_evaluation(
        RewriteEvaluation(understanding=assistant, resamples=given.resamples, seed=given.seed),
        turns=given.turns,
        gold=given.gold,
        lines={ONE_SYSTEM: rewrites},
        out=given.out,
        train_turns=train or [],
    )


@evaluate.command("ablations")
@with_options_of(RewriteOptions)
def evaluate_ablations_command(
    given: RewriteOptions,
    state: StateOption = None,
    settings: SettingsOption = None,
    win_loss: Annotated[
        float | None,
        typer.Option(min=0, help="Wanted wins for each loss; by default, the ratio of the settings."),
    ] = None,
) -> None:
    """What each part of rewriting adds: the system of a state, without each of them, beside baselines.

    The variants are trained from the sessions of the state (minutes each on a large log).

    Example: `rehear evaluate ablations --state state --turns test.jsonl.gz --gold gold.jsonl.gz
    --understanding nlu.jsonl.gz --out report`
    """
    from services.evaluation.common.evaluation_run import run_evaluation
    from services.evaluation.common.understanding import load_understanding
    from services.evaluation.rewrites.ablations import AblationEvaluation
    from services.evaluation.rewrites.variants import AblationSettings

    chosen = settings_of(settings, state)
    require_state(chosen)
    evaluation = AblationEvaluation(
        settings=AblationSettings(chosen, win_loss),
        understanding=load_understanding(given.understanding),
        resamples=given.resamples,
        seed=given.seed,
    )
    run_evaluation(evaluation, turns=given.turns, gold=given.gold, lines={}, out=given.out)


def simulate(
    out: Annotated[Path, typer.Option(help="Folder for the log and its gold.")],
    seed: Annotated[int, typer.Option(help="Random seed; each seed gives a different world.")] = 7,
    users: Annotated[int, typer.Option(help="Number of people who use the assistant.")] = 300,
    days: Annotated[int, typer.Option(help="Days of log to train on.")] = 14,
    test_days: Annotated[int, typer.Option(help="Days of log to score on.")] = 3,
    stage_faults: Annotated[
        bool,
        typer.Option("--stage-faults", help="Let each stage fail by itself, and write traces of the stages."),
    ] = False,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="With --stage-faults: use names and users that occur in no world without --held-out.",
        ),
    ] = False,
    annotated_share: Annotated[
        float,
        typer.Option(help="With --stage-faults: share of the training turns that are annotated, 0 to 1."),
    ] = 0.2,
) -> None:
    """Write the log of a simulated assistant, with gold: to try Rehear without a log of one's own."""
    from services.simulator import SimulationSettings, write_simulation

    chosen = SimulationSettings(
        seed=seed,
        users=users,
        days=days,
        test_days=test_days,
        stage_faults=stage_faults,
        held_out=held_out,
        annotated_share=annotated_share,
    )
    files = write_simulation(chosen, out)
    print(f"{files.train_count:,} turns to learn from and {files.test_count:,} to be scored on in {out}")
    if files.annotations is not None:
        print(
            f"{files.annotation_count:,} of them are annotated with their failure point: {files.annotations}"
        )


def schema(
    annotations: Annotated[
        bool, typer.Option("--annotations", help="Print the schema of the annotation instead.")
    ] = False,
) -> None:
    """Print the JSON Schema of the turn event."""
    from labeling.annotations.annotation import annotation_schema
    from streams.turn import turn_schema

    printed = annotation_schema() if annotations else turn_schema()
    print(msgspec.json.format(msgspec.json.encode(printed), indent=2).decode())
