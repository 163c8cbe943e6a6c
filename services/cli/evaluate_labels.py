"""How good labels are."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import SettingsOption, named_files, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("labels")(evaluate_labels_command)


def evaluate_labels_command(
    turns: Annotated[Path, typer.Option(help="The test log.")],
    gold: Annotated[
        Path,
        typer.Option(help="What is true of its turns: annotations, or a gold file; some may have no line."),
    ],
    labels: Annotated[
        list[str],
        typer.Option(
            help="Output of `rehear label` on the test log. NAME=FILE, once for each, compares several: the "
            "first with all others."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report (HTML and JSON).")],
    train_turns: Annotated[
        list[Path] | None, typer.Option(help="Logs that were learned from, for the baselines that learn.")
    ] = None,
    train_annotations: Annotated[
        list[Path] | None, typer.Option(help="What is annotated in them: tells also which intents are known.")
    ] = None,
    settings: SettingsOption = None,
    resamples: Annotated[int, typer.Option(help="Resamples of the users for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resampling, and of the baselines that learn.")] = 0,
) -> None:
    """Goals, defects, success, satisfaction, intents and slots against gold, with intervals and baselines.

    A label is scored where there is gold of it. Satisfaction stands beside one rater against the others.

    Example: `rehear evaluate labels --turns test.jsonl.gz --gold gold.jsonl.gz --labels labels.jsonl
    --out report`
    """
    from services.evaluation.labels.evaluation import run_label_evaluation

    if train_turns and not train_annotations:
        raise SettingsError(
            "--train-turns is for baselines that learn from annotations: give these with --train-annotations"
        )
    run_label_evaluation(
        turns=turns,
        gold=gold,
        labels=named_files(labels, "--labels"),
        out=out,
        train_turns=train_turns or [],
        train_annotations=train_annotations or [],
        gap_ms=settings_alone(settings).sessions.gap_ms,
        resamples=resamples,
        seed=seed,
    )
