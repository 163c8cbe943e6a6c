"""What each part of the label model and of the failure model adds."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import msgspec
import typer

from services.cli.evaluation_options import EncoderOption, VariantOptions
from services.cli.shared_options import with_options_of
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.settings import Settings


def register(evaluate: typer.Typer) -> None:
    """Adds the commands to `rehear evaluate`."""
    evaluate.command("failure-variants")(failure_variants_command)
    evaluate.command("label-variants")(label_variants_command)


@with_options_of(VariantOptions)
def failure_variants_command(
    given: VariantOptions,
    turns: Annotated[
        list[Path], typer.Option(help="Training logs; without --test-turns, a fold of them is scored.")
    ],
    annotations: Annotated[
        list[Path],
        typer.Option(help="Annotations of failure points; those of scored turns are never learned from."),
    ],
    encoder: EncoderOption = True,
) -> None:
    """What each part of the failure model adds: models without it are trained and scored beside each other.

    Variants that are trained: all of it; without traces; without context; without later turns; without
    responses; without metadata. Of all of it, in use: traces, context, later turns, responses withheld.
    With --groups a fold is one of these groups, so that recordings of one sentence are on one side.

    Example: `rehear evaluate failure-variants --turns turns.jsonl.gz --annotations annotations.jsonl.gz
    --groups gold.jsonl.gz slurp_id --folds 2 --out report`
    """
    from services.evaluation.failures.ablations import FailureVariants
    from services.evaluation.failures.evaluation import FailureEvaluation
    from services.evaluation.failures.gold import FAILURE_GOLD
    from services.evaluation.failures.variants import VARIANTS

    def kind_of(settings: "Settings", groups: Mapping[str, str] | None) -> FailureVariants:
        evaluation = FailureEvaluation(
            settings=settings.failures,
            encoder=encoder,
            groups=groups,
            gap_ms=settings.sessions.gap_ms,
            resamples=given.resamples,
            seed=given.seed,
        )
        return FailureVariants(evaluation=evaluation)

    given.run(FAILURE_GOLD, VARIANTS, kind_of, turns, annotations)


@with_options_of(VariantOptions)
def label_variants_command(
    given: VariantOptions,
    turns: Annotated[
        list[Path],
        typer.Option(
            help="Training logs; without --test-turns, a fold of them is scored. Turn events, or files of "
            'texts with their intents, {"text": ..., "intent": ...}, each of which is a dialogue of one '
            "annotated turn."
        ),
    ],
    annotations: Annotated[
        list[Path] | None,
        typer.Option(help="Annotations of turns; those of scored turns are never learned from."),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(help="small or full; by default, the preset of the settings, [labels].")
    ] = None,
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
    from services.evaluation.labels.ablations import LabelVariants
    from services.evaluation.labels.evaluation import LabelEvaluation
    from services.evaluation.labels.gold import LABEL_GOLD
    from services.evaluation.labels.variants import VARIANTS

    if preset is not None and preset not in get_args(Preset):
        raise SettingsError(f"no preset {preset!r}: there are {', '.join(get_args(Preset))}")

    def kind_of(settings: "Settings", groups: Mapping[str, str] | None) -> LabelVariants:
        if preset is not None:
            labels = msgspec.structs.replace(settings.labels, preset=preset)  # checked above
            settings = msgspec.structs.replace(settings, labels=labels)
        gap_ms = settings.sessions.gap_ms
        evaluation = LabelEvaluation(gap_ms=gap_ms, resamples=given.resamples, seed=given.seed)
        return LabelVariants(settings=settings, evaluation=evaluation)

    given.run(LABEL_GOLD, VARIANTS, kind_of, turns, annotations or [])
