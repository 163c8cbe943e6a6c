"""What each part of the label model adds."""

from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from services.cli.options import FoldOption, FoldsOption, GroupsOption, SettingsOption, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("label-variants")(label_variants_command)


def label_variants_command(
    turns: Annotated[
        list[Path],
        typer.Option(
            help="Logs to learn from, and, without --test-turns, to be scored on: turn events, or files "
            'whose first line is a text with its intent, {"text": ..., "intent": ...}, each of which is a '
            "dialogue of one annotated turn."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the report (HTML and JSON) and the labels.")],
    annotations: Annotated[
        list[Path] | None,
        typer.Option(help="What people say of turns; of those that are scored it is never learned from."),
    ] = None,
    test_turns: Annotated[
        Path | None,
        typer.Option(help="The log to be scored on, of either kind; else a fold of the dialogues."),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(help="What is true of the turns that are scored; else their annotations are."),
    ] = None,
    fold: FoldOption = 0,
    folds: FoldsOption = 5,
    groups: GroupsOption = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Which to train, once for each; else all that differ on these logs."
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Take labels in the folder that were made of the same inputs as they are."
        ),
    ] = False,
    settings: SettingsOption = None,
    preset: Annotated[
        str | None, typer.Option(help="small or full; else that of the settings, [labels] preset.")
    ] = None,
    resamples: Annotated[int, typer.Option(help="Resamples of the users for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the resampling, and of the baselines that learn.")] = 0,
) -> None:
    """What each part of the label model adds: models without it are trained and scored beside each other.

    Variants: all of it; without context; without pre-training; a twentieth of the annotations; a twentieth,
    without pre-training; log alone; plain encoder. Each is trained for each assistant by itself, as `rehear
    learn` does (minutes each). Its labels are in the folder as soon as they are made. With --groups a fold is
    one of these groups, so that recordings of one sentence are on one side.

    Example: `rehear evaluate label-variants --turns turns.jsonl.gz --annotations annotations.jsonl.gz
    --out report`
    """
    from labeling.labels.settings import Preset
    from services.evaluation.common.group_file import read_groups
    from services.evaluation.common.log_split import Fold
    from services.evaluation.labels.ablations import run_label_variants
    from services.evaluation.labels.split import read_split
    from services.evaluation.labels.variants import named_variants

    named_variants(variant or [])
    if preset is not None and preset not in get_args(Preset):
        raise SettingsError(f"no preset {preset!r}: there are {', '.join(get_args(Preset))}")
    if fold >= folds:
        raise SettingsError(
            f"--fold {fold}: folds are numbered from 0, so {folds} of them end at {folds - 1}"
        )
    chosen = settings_alone(settings)
    if preset is not None:
        labels = msgspec.structs.replace(chosen.labels, preset=preset)  # checked above
        chosen = msgspec.structs.replace(chosen, labels=labels)
    run_label_variants(
        split=read_split(
            turns=turns,
            annotations=annotations or [],
            test_turns=test_turns,
            gold=gold,
            fold=Fold(fold, folds),
            groups=None if groups is None else read_groups(*groups),
            gap_ms=chosen.sessions.gap_ms,
        ),
        settings=chosen,
        out=out,
        names=variant or [],
        resume=resume,
        resamples=resamples,
        seed=seed,
    )
