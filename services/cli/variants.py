"""What each part of the label model and of the failure model adds."""

from pathlib import Path
from typing import Annotated, get_args

import msgspec
import typer

from services.cli import evaluation_options as shared
from services.cli.options import SettingsOption, settings_alone
from services.errors import SettingsError


def register(evaluate: typer.Typer) -> None:
    """Adds the commands to `rehear evaluate`."""
    evaluate.command("failure-variants")(failure_variants_command)
    evaluate.command("label-variants")(label_variants_command)


def failure_variants_command(
    turns: Annotated[
        list[Path], typer.Option(help="Training logs; without --test-turns, a fold of them is scored.")
    ],
    annotations: Annotated[
        list[Path],
        typer.Option(help="Annotations of failure points; those of scored turns are never learned from."),
    ],
    out: shared.ReportOption,
    test_turns: shared.SeparateLogOption = None,
    gold: shared.SeparateGoldOption = None,
    fold: shared.FoldOption = 0,
    folds: shared.FoldsOption = 5,
    groups: shared.GroupsOption = None,
    variant: shared.VariantOption = None,
    encoder: shared.EncoderOption = True,
    resume: shared.ResumeOption = False,
    settings: SettingsOption = None,
    resamples: shared.ResamplesOption = 1000,
    seed: shared.LearningSeedOption = 0,
) -> None:
    """What each part of the failure model adds: models without it are trained and scored beside each other.

    Variants that are trained: all of it; without traces; without context; without later turns; without
    responses; without metadata. Of all of it, in use: traces, context, later turns, responses withheld.
    With --groups a fold is one of these groups, so that recordings of one sentence are on one side.

    Example: `rehear evaluate failure-variants --turns turns.jsonl.gz --annotations annotations.jsonl.gz
    --groups gold.jsonl.gz slurp_id --folds 2 --out report`
    """
    from services.evaluation.common.group_file import read_groups
    from services.evaluation.common.log_split import Fold, read_split
    from services.evaluation.common.variant_run import named_variants, run_variants
    from services.evaluation.failures.ablations import FailureVariants
    from services.evaluation.failures.evaluation import FailureEvaluation
    from services.evaluation.failures.gold import FAILURE_GOLD
    from services.evaluation.failures.variants import VARIANTS

    variants = named_variants(VARIANTS, variant or [])
    shared.require_fold(fold, folds)
    chosen = settings_alone(settings)
    evaluation = FailureEvaluation(
        settings=chosen.failures,
        encoder=encoder,
        groups=None if groups is None else read_groups(*groups),
        gap_ms=chosen.sessions.gap_ms,
        resamples=resamples,
        seed=seed,
    )
    split = read_split(
        FAILURE_GOLD,
        turns=turns,
        annotations=annotations,
        test_turns=test_turns,
        gold=gold,
        fold=Fold(fold, folds),
        groups=evaluation.groups,
        gap_ms=evaluation.gap_ms,
    )
    kind = FailureVariants(evaluation=evaluation)
    run_variants(kind, variants, split, out, every=bool(variant), resume=resume)


def label_variants_command(
    turns: Annotated[
        list[Path],
        typer.Option(
            help="Training logs; without --test-turns, a fold of them is scored. Turn events, or files of "
            'texts with their intents, {"text": ..., "intent": ...}, each of which is a dialogue of one '
            "annotated turn."
        ),
    ],
    out: shared.ReportOption,
    annotations: Annotated[
        list[Path] | None,
        typer.Option(help="Annotations of turns; those of scored turns are never learned from."),
    ] = None,
    test_turns: shared.SeparateLogOption = None,
    gold: shared.SeparateGoldOption = None,
    fold: shared.FoldOption = 0,
    folds: shared.FoldsOption = 5,
    groups: shared.GroupsOption = None,
    variant: shared.VariantOption = None,
    resume: shared.ResumeOption = False,
    settings: SettingsOption = None,
    preset: Annotated[
        str | None, typer.Option(help="small or full; by default, the preset of the settings, [labels].")
    ] = None,
    resamples: shared.ResamplesOption = 1000,
    seed: shared.LearningSeedOption = 0,
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
    from services.evaluation.common.log_split import Fold, read_split
    from services.evaluation.common.variant_run import named_variants, run_variants
    from services.evaluation.labels.ablations import LabelVariants
    from services.evaluation.labels.evaluation import LabelEvaluation
    from services.evaluation.labels.gold import LABEL_GOLD
    from services.evaluation.labels.variants import VARIANTS

    variants = named_variants(VARIANTS, variant or [])
    if preset is not None and preset not in get_args(Preset):
        raise SettingsError(f"no preset {preset!r}: there are {', '.join(get_args(Preset))}")
    shared.require_fold(fold, folds)
    chosen = settings_alone(settings)
    if preset is not None:
        labels = msgspec.structs.replace(chosen.labels, preset=preset)  # checked above
        chosen = msgspec.structs.replace(chosen, labels=labels)
    split = read_split(
        LABEL_GOLD,
        turns=turns,
        annotations=annotations or [],
        test_turns=test_turns,
        gold=gold,
        fold=Fold(fold, folds),
        groups=None if groups is None else read_groups(*groups),
        gap_ms=chosen.sessions.gap_ms,
    )
    evaluation = LabelEvaluation(gap_ms=chosen.sessions.gap_ms, resamples=resamples, seed=seed)
    kind = LabelVariants(settings=chosen, evaluation=evaluation)
    run_variants(kind, variants, split, out, every=bool(variant), resume=resume)
