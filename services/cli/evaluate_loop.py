"""A closed loop, simulated: what rewriting does with its own traffic."""

import gzip
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console

from services.cli.evaluation_options import ReportOption
from services.cli.options import SettingsOption, settings_alone
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.evaluation.loop.run import Keep
    from services.simulator.loop.settings import LoopWorldSettings
    from streams.turn import TurnEvent

KEPT = "rehear"
"""The learner whose turns are written."""


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("loop")(evaluate_loop_command)


def evaluate_loop_command(
    out: ReportOption,
    days: Annotated[int, typer.Option(min=1, max=3_650, help="Days, from an empty table.")] = 30,
    seed: Annotated[int, typer.Option(help="Random seed; each seed gives a different world.")] = 7,
    users: Annotated[int, typer.Option(min=1, max=10_000_000, help="Number of users.")] = 600,
    learner: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="What learns: `rehear` (this build) or `naive` (this build, which does not know what its "
            "own rewrites did). Repeat for several; by default both.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="Another checkout with Rehear in its .venv: one more learner, `against`, driven by its own "
            "commands (slower)."
        ),
    ] = None,
    guards: Annotated[
        bool,
        typer.Option(
            "--guards/--no-guards", help="Judge pairs by what they mean and by who made them, in this build."
        ),
    ] = True,
    share: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of the users who are served rewrites; the others are control."
        ),
    ] = 0.95,
    world: Annotated[
        Path | None, typer.Option(help="The world's parameters and events (TOML); by default those shipped.")
    ] = None,
    barge_in: Annotated[
        bool, typer.Option("--barge-in/--no-barge-in", help="Whether the log shows who cuts an answer short.")
    ] = True,
    second_tries: Annotated[
        float, typer.Option(min=0, max=2, help="Factor on how often users try again; 0.5 halves it.")
    ] = 1.0,
    planted_accounts: Annotated[
        float, typer.Option(min=0, help="Factor on how many accounts plant rewrites; 0: none.")
    ] = 1.0,
    turns: Annotated[
        Path | None,
        typer.Option(
            help="File for the turn events of the users of the learner `rehear` (gzipped JSON Lines), as "
            "for `rehear evaluate ab`."
        ),
    ] = None,
    settings: SettingsOption = None,
) -> None:
    """Simulated users live day by day with what was learned from them the night before.

    They see what was run, try again, give up or leave; songs change their meaning, their name, or go; some
    accounts plant rewrites. Writes `loop.json` and a report with curves by day.

    Example: `rehear evaluate loop --days 30 --seed 7 --out loop`
    """
    from services.evaluation.common.evaluation_run import progress_bars
    from services.evaluation.loop.learner import LEARNERS
    from services.evaluation.loop.report import loop_report
    from services.evaluation.loop.run import AGAINST, run_loop
    from services.evaluation.loop.score import LoopSettings
    from services.simulator.loop.settings import load_world

    names = list(dict.fromkeys(learner or LEARNERS))
    for name in names:
        if name not in LEARNERS:
            raise SettingsError(f"--learner {name!r} is unknown: give one of {', '.join(LEARNERS)}")
    if against is not None:
        names.append(AGAINST)
    if turns is not None and KEPT not in names:
        raise SettingsError(f"--turns writes the turns of the learner {KEPT}: give --learner {KEPT} too")
    chosen = LoopSettings(
        seed=seed,
        days=days,
        users=users,
        share=share,
        guards=guards,
        learners=tuple(names),
        world=_varied(load_world(world), barge_in, second_tries, planted_accounts),
    )
    console = Console()
    started_s = time.monotonic()
    with progress_bars(console) as progress, _kept_turns(turns) as keep:
        scores = run_loop(chosen, settings_alone(settings), progress, against=against, keep=keep)
    taken_s = time.monotonic() - started_s
    report = loop_report(scores)
    report.show(report.write(out), console)
    lived = sum(one.turns for one in scores.summary.values())
    console.print(
        f"{lived:,} turns lived, learned and served in {taken_s:.0f} s: {lived / taken_s:,.0f} turns/s"
    )
    if turns is not None:
        console.print(f"turns: {turns}", soft_wrap=True)


@contextmanager
def _kept_turns(path: Path | None) -> "Iterator[Keep | None]":
    """What writes the turns of one learner to a file, which is there when all are written."""
    if path is None:
        yield None
        return
    from streams.replaced_file import replaced_file
    from streams.turn import encode_turn

    with replaced_file(path) as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:

        def keep(learner: str, turns: "Sequence[TurnEvent]") -> None:
            if learner == KEPT:
                file.writelines(encode_turn(turn) + b"\n" for turn in turns)

        yield keep


def _varied(
    world: "LoopWorldSettings", barge_in: bool, second_tries: float, planted_accounts: float
) -> "LoopWorldSettings":
    """The world with what the options change in it."""
    replace = msgspec.structs.replace
    rates = world.signals if barge_in else replace(world.signals, barge_in=0.0, barge_in_if_right=0.0)
    planted = replace(
        world.planted,
        accounts=world.planted.accounts * planted_accounts,
        confirming=world.planted.confirming * planted_accounts,
    )
    tries = replace(world.users, second_tries=world.users.second_tries * second_tries)
    return replace(world, signals=rates, planted=planted, users=tries)
