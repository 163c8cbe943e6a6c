"""How good labels and failure points are."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.evaluation_options import EncoderOption, GroupsOption, LineOptions
from services.cli.options import named_files, settings_alone
from services.cli.shared_options import with_options_of
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the commands to `rehear evaluate`."""
    evaluate.command("labels")(evaluate_labels_command)
    evaluate.command("failures")(evaluate_failures_command)


@with_options_of(LineOptions)
def evaluate_labels_command(
    given: LineOptions,
    gold: Annotated[
        Path, typer.Option(help="Annotations or gold of the test log; turns may be without a line.")
    ],
    labels: Annotated[
        list[str],
        typer.Option(
            help="Output of `rehear label` on the test log. Repeat as NAME=FILE to compare several: the "
            "first with all others."
        ),
    ],
) -> None:
    """Goals, defects, success, satisfaction, intents and slots against gold, with intervals and baselines.

    A label is scored where there is gold of it. Satisfaction stands beside one rater against the others.
    Training annotations also tell which intents are known.

    Example: `rehear evaluate labels --turns test.jsonl.gz --gold gold.jsonl.gz --labels labels.jsonl
    --out report`
    """
    from services.evaluation.labels.evaluation import LabelEvaluation

    if given.train_turns and not given.train_annotations:
        raise SettingsError(
            "--train-turns is for baselines that learn from annotations: give these with --train-annotations"
        )
    gap_ms = settings_alone(given.settings).sessions.gap_ms
    evaluation = LabelEvaluation(gap_ms=gap_ms, resamples=given.resamples, seed=given.seed)
    given.run(evaluation, gold, named_files(labels, "--labels"))


@with_options_of(LineOptions)
def evaluate_failures_command(
    given: LineOptions,
    gold: Annotated[
        Path,
        typer.Option(
            help="Annotations or gold of the test log; turns without a failure point are not scored."
        ),
    ],
    failures: Annotated[
        list[str],
        typer.Option(
            help="Output of `rehear isolate` on the test log. Repeat as NAME=FILE to compare several: the "
            "first with all others."
        ),
    ],
    groups: GroupsOption = None,
    encoder: EncoderOption = True,
) -> None:
    """Failure points against gold: each class, what is taken for what, calibration and abstention.

    Beside baselines that learn from the same annotations: an encoder without context, metadata, majority.

    Example: `rehear evaluate failures --turns test.jsonl.gz --gold gold.jsonl.gz --failures failures.jsonl
    --train-turns train.jsonl.gz --train-annotations annotations.jsonl.gz --out report`
    """
    from services.evaluation.common.group_file import read_groups
    from services.evaluation.failures.evaluation import FailureEvaluation

    if bool(given.train_turns) != bool(given.train_annotations):
        raise SettingsError("the baselines need both: give --train-turns and --train-annotations, or neither")
    chosen = settings_alone(given.settings)
    evaluation = FailureEvaluation(
        settings=chosen.failures,
        encoder=encoder,
        groups=None if groups is None else read_groups(*groups),
        gap_ms=chosen.sessions.gap_ms,
        resamples=given.resamples,
        seed=given.seed,
    )
    given.run(evaluation, gold, named_files(failures, "--failures"))
