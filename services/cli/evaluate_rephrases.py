"""How well the rephrases of a log are found."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.evaluation_options import ReportOption, ResamplesOption, TestLogOption
from services.cli.options import ONE_SYSTEM, SettingsOption, StateOption, require_state, settings_of
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.evaluation.rephrases.ablations import TrainDetector


def register(evaluate: typer.Typer) -> None:
    """Adds the command to `rehear evaluate`."""
    evaluate.command("rephrases")(evaluate_rephrases_command)


def evaluate_rephrases_command(
    turns: TestLogOption,
    gold: Annotated[Path, typer.Option(help="Gold of the test log, a line for each turn.")],
    out: ReportOption,
    rephrases: Annotated[
        Path | None, typer.Option(help="Output of `rehear rephrases` on the test log.")
    ] = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    train: Annotated[
        list[Path] | None, typer.Option(help="Training logs, from which the baselines learn.")
    ] = None,
    ablations: Annotated[
        bool,
        typer.Option(
            "--ablations",
            help="Train detectors without parts of the evidence as well (minutes each); needs --train.",
        ),
    ] = False,
    resamples: ResamplesOption = 1000,
    seed: Annotated[
        int, typer.Option(help="Random seed for the bootstrap and for the choice of examples.")
    ] = 0,
) -> None:
    """Precision, recall, F1 and PR-AUC of rephrases, with intervals, beside four baselines.

    With `--state`, the detectors of the state are run, and are ranked below their threshold too; what a file
    of rephrases says is known at or above its threshold alone.

    Example: `rehear evaluate rephrases --turns test.jsonl.gz --gold gold.jsonl.gz --state state
    --train train.jsonl.gz --out report`
    """
    from services.evaluation.common.evaluation_run import run_evaluation
    from services.evaluation.rephrases.evaluation import RephraseEvaluation

    if state is None and rephrases is None:
        raise SettingsError(
            "nothing to evaluate: give --state, or --rephrases with what `rehear rephrases` wrote"
        )
    if ablations and not train:
        raise SettingsError("--ablations trains detectors: give the logs to learn from with --train")
    chosen = settings_of(settings, state)
    detector_of = None
    if state is not None:
        from services.platform.database import open_database
        from services.session_models.in_use import model_in_use
        from services.session_models.rephrases.kind import KIND

        require_state(chosen)
        engine = open_database(chosen.database_location)
        detector_of = partial(model_in_use, engine, chosen, KIND)
    train_variant: TrainDetector | None = None
    if ablations:
        from services.session_models.rephrases.training import train_detector

        train_variant = train_detector
    run_evaluation(
        RephraseEvaluation(
            detector_of=detector_of,
            train_detector=train_variant,
            settings=chosen.rephrases,
            gap_ms=chosen.sessions.gap_ms,
            resamples=resamples,
            seed=seed,
        ),
        turns=turns,
        gold=gold,
        lines={} if rephrases is None else {ONE_SYSTEM: rephrases},
        out=out,
        train_turns=train or [],
    )
