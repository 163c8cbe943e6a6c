"""How good failure points are."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import GroupsOption, SettingsOption, named_files, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("failures")(evaluate_failures_command)


def evaluate_failures_command(
    turns: Annotated[Path, typer.Option(help="The test log.")],
    gold: Annotated[
        Path,
        typer.Option(
            help="Where its turns failed: annotations, or a gold file; turns without a failure point are not "
            "scored."
        ),
    ],
    failures: Annotated[
        list[str],
        typer.Option(
            help="Output of `rehear isolate` on the test log. NAME=FILE, once for each, compares several: "
            "the first with all others."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report (HTML and JSON).")],
    train_turns: Annotated[
        list[Path] | None, typer.Option(help="Logs that were learned from, for the baselines.")
    ] = None,
    train_annotations: Annotated[
        list[Path] | None, typer.Option(help="What is annotated in them, or their gold.")
    ] = None,
    groups: GroupsOption = None,
    encoder: Annotated[
        bool, typer.Option(help="Train the baseline that reads requests and responses, too (minutes).")
    ] = True,
    settings: SettingsOption = None,
    resamples: Annotated[int, typer.Option(help="Resamples for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resampling, and of the baselines.")] = 0,
) -> None:
    """Failure points against gold: each class, what is taken for what, calibration and abstention.

    Beside baselines that learn from the same annotations: an encoder without context, metadata, majority.

    Example: `rehear evaluate failures --turns test.jsonl.gz --gold gold.jsonl.gz --failures failures.jsonl
    --train-turns train.jsonl.gz --train-annotations annotations.jsonl.gz --out report`
    """
    from services.evaluation.common.group_file import read_groups
    from services.evaluation.failures.evaluation import run_failure_evaluation

    if bool(train_turns) != bool(train_annotations):
        raise SettingsError("the baselines need both: give --train-turns and --train-annotations, or neither")
    chosen = settings_alone(settings)
    run_failure_evaluation(
        turns=turns,
        gold=gold,
        failures=named_files(failures, "--failures"),
        out=out,
        train_turns=train_turns or [],
        train_annotations=train_annotations or [],
        groups=None if groups is None else read_groups(*groups),
        settings=chosen.failures,
        encoder=encoder,
        gap_ms=chosen.sessions.gap_ms,
        resamples=resamples,
        seed=seed,
    )
