"""The arms of an experiment, compared."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from services.cli.evaluation_options import ReportOption
from services.cli.options import SettingsOption, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("ab")(evaluate_ab_command)


def evaluate_ab_command(
    logs: Annotated[
        list[Path],
        typer.Argument(
            metavar="LOG...",
            help="Turn events with the field `arm`, JSON Lines, plain or gzipped; with those of the days "
            "before the experiment, where there are any.",
        ),
    ],
    out: ReportOption,
    control: Annotated[str, typer.Option(help="Arm that the others are compared with.")] = "control",
    since: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"],
            help="Start of the experiment (UTC); by default, the first turn that has an arm. Turns before it "
            "tell how the users differed anyway, and make intervals narrower.",
        ),
    ] = None,
    share: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARM=SHARE",
            help="Share of the users that an arm should have, 0 to 1; repeat for each arm. Without shares, "
            "the number of users of each arm is not tested.",
        ),
    ] = None,
    effect: Annotated[
        float,
        typer.Option(
            help="Effect that a test should be able to show, as a share of control's defect rate, 0 to 1."
        ),
    ] = 0.1,
    assistant: Annotated[
        str | None, typer.Option(help="Only turns of this assistant; needed when the logs have several.")
    ] = None,
    settings: SettingsOption = None,
) -> None:
    """The arms of an experiment: defects, tries, success and feedback, with intervals over users.

    Differences to control, also with the days before as a covariate; a band by day that may be looked at any
    time; whether the arms have the users they should have; how many users a test of this assistant needs.
    Writes `ab.json` and a report.

    Example: `rehear evaluate ab june.jsonl.gz july.jsonl.gz --since 2026-07-01 --share control=0.05
    --share treatment=0.95 --out report`
    """
    from services.evaluation.ab.report import ab_report
    from services.evaluation.ab.score import AbSettings, score_ab
    from services.platform.clock import now_ms
    from streams.turn_file import read_turns

    chosen = AbSettings(
        control=control,
        since_ms=None if since is None else round(since.replace(tzinfo=UTC).timestamp() * 1000),
        shares=_shares(share or []),
        effect=effect,
        gap_ms=settings_alone(settings).sessions.gap_ms,
    )
    turns = [turn for path in logs for turn in read_turns(path, now_ms)]
    if assistant is not None:
        turns = [turn for turn in turns if turn.assistant_id == assistant]
        if not turns:
            raise SettingsError(f"--assistant {assistant!r}: the logs have no turn of it")
    report = ab_report(score_ab(turns, chosen))
    report.show(report.write(out), Console())


def _shares(given: list[str]) -> dict[str, float]:
    """Shares by arm.

    Raises:
        SettingsError: one is no share of an arm, or an arm has two.
    """
    shares: dict[str, float] = {}
    for one in given:
        arm, _, number = one.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = 0.0
        if not arm or not 0 < value <= 1:
            raise SettingsError(f"--share {one!r}: give ARM=SHARE, with a share over 0 and at most 1")
        if arm in shares:
            raise SettingsError(f"--share: the arm {arm!r} has two shares: give one")
        shares[arm] = value
    return shares
