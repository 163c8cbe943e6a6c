"""Options that several evaluations share."""

from pathlib import Path
from typing import Annotated

import typer

from services.errors import SettingsError

TestLogOption = Annotated[Path, typer.Option("--turns", help="Test log: turn events, JSON Lines.")]
ReportOption = Annotated[Path, typer.Option("--out", help="Folder for the report (HTML and JSON).")]
TrainTurnsOption = Annotated[
    list[Path] | None,
    typer.Option("--train-turns", help="Training logs, from which the baselines learn."),
]
TrainAnnotationsOption = Annotated[
    list[Path] | None,
    typer.Option("--train-annotations", help="Annotations or gold of the training logs."),
]
SeparateLogOption = Annotated[
    Path | None, typer.Option("--test-turns", help="Test log; by default, a fold of the dialogues.")
]
SeparateGoldOption = Annotated[
    Path | None, typer.Option("--gold", help="Gold of the test log; by default, its annotations.")
]
GroupsOption = Annotated[
    tuple[Path, str] | None,
    typer.Option(
        "--groups",
        metavar="FILE FIELD",
        help="File with event_id, and its field that is the same for turns that belong together, such as "
        "recordings of one sentence.",
    ),
]
FoldOption = Annotated[
    int, typer.Option("--fold", min=0, help="Fold of the dialogues to score, numbered from 0.")
]
FoldsOption = Annotated[
    int, typer.Option("--folds", min=2, help="Number of folds; the id of a dialogue decides on its fold.")
]
VariantOption = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="NAME",
        help="Variant to score; repeat for several. By default, all variants that differ on these logs.",
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option("--resume", help="Reuse output in the folder that was made from the same inputs."),
]
EncoderOption = Annotated[
    bool,
    typer.Option(
        "--encoder/--no-encoder",
        help="Train the baseline that reads requests and responses as well (takes minutes).",
    ),
]
ResamplesOption = Annotated[
    int,
    typer.Option(
        "--resamples", help="Number of bootstrap resamples of the users for the confidence intervals."
    ),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Random seed for the bootstrap.")]
LearningSeedOption = Annotated[
    int, typer.Option("--seed", help="Random seed for the bootstrap and for baselines that learn.")
]


def require_fold(fold: int, folds: int) -> None:
    """Refuses a fold that there is not.

    Raises:
        SettingsError: there are fewer.
    """
    if fold >= folds:
        raise SettingsError(
            f"--fold {fold}: folds are numbered from 0, so {folds} of them end at {folds - 1}"
        )
