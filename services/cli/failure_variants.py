"""What each part of the failure model adds."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import FoldOption, FoldsOption, GroupsOption, SettingsOption, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("failure-variants")(failure_variants_command)


def failure_variants_command(
    turns: Annotated[
        list[Path],
        typer.Option(help="Logs to learn from, and, without --test-turns, to be scored on."),
    ],
    annotations: Annotated[
        list[Path],
        typer.Option(help="Where turns failed; that of turns that are scored is never learned from."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report (HTML and JSON) and the failures.")],
    test_turns: Annotated[
        Path | None, typer.Option(help="The log to be scored on; else a fold of the dialogues.")
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(help="Where the turns that are scored failed; else their annotations are."),
    ] = None,
    fold: FoldOption = 0,
    folds: FoldsOption = 5,
    groups: GroupsOption = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Which to score, once for each; else all that differ on these logs."
        ),
    ] = None,
    encoder: Annotated[
        bool, typer.Option(help="Train the baseline that reads requests and responses, too (minutes).")
    ] = True,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Take failures in the folder that were made of the same inputs as they are."
        ),
    ] = False,
    settings: SettingsOption = None,
    resamples: Annotated[int, typer.Option(help="Resamples for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resampling, and of the baselines that learn.")] = 0,
) -> None:
    """What each part of the failure model adds: models without it are trained and scored beside each other.

    Variants that are trained: all of it; without traces; without context; without later turns; without
    responses; without metadata. Of all of it, in use: traces, context, later turns, responses withheld.
    With --groups a fold is one of these groups, so that recordings of one sentence are on one side.

    Example: `rehear evaluate failure-variants --turns turns.jsonl.gz --annotations annotations.jsonl.gz
    --groups gold.jsonl.gz slurp_id --folds 2 --out report`
    """
    from services.evaluation.common.group_file import read_groups
    from services.evaluation.common.log_split import Fold
    from services.evaluation.failures.ablations import run_failure_variants
    from services.evaluation.failures.split import read_failure_split
    from services.evaluation.failures.variants import named_failure_variants

    named_failure_variants(variant or [])
    if fold >= folds:
        raise SettingsError(
            f"--fold {fold}: folds are numbered from 0, so {folds} of them end at {folds - 1}"
        )
    chosen = settings_alone(settings)
    grouped = None if groups is None else read_groups(*groups)
    run_failure_variants(
        split=read_failure_split(
            turns=turns,
            annotations=annotations,
            test_turns=test_turns,
            gold=gold,
            fold=Fold(fold, folds),
            groups=grouped,
            gap_ms=chosen.sessions.gap_ms,
        ),
        settings=chosen,
        out=out,
        names=variant or [],
        groups=grouped,
        encoder=encoder,
        resume=resume,
        resamples=resamples,
        seed=seed,
    )
