"""Options that several evaluations share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from services.cli.options import SettingsOption, settings_alone
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.evaluation.common.evaluation_run import LineEvaluation
    from services.evaluation.common.log_split import GoldKind
    from services.evaluation.common.variant_output import ModelVariant
    from services.evaluation.common.variant_run import VariantKind
    from services.settings import Settings

TestLogOption = Annotated[Path, typer.Option("--turns", help="Test log: turn events, JSON Lines.")]
TurnGoldOption = Annotated[Path, typer.Option("--gold", help="Gold of the test log, a line for each turn.")]
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


class RewriteOptions(Struct, frozen=True, kw_only=True):
    """The options of evaluations of rewrites."""

    turns: TestLogOption
    gold: TurnGoldOption
    understanding: Annotated[
        Path, typer.Option(help="The assistant's own understanding: answers (JSON Lines) or a Python file.")
    ]
    out: ReportOption
    resamples: ResamplesOption = 1000
    seed: SeedOption = 0


class LineOptions(Struct, frozen=True, kw_only=True):
    """The options of evaluations whose baselines learn from annotated logs."""

    turns: TestLogOption
    out: ReportOption
    train_turns: TrainTurnsOption = None
    train_annotations: TrainAnnotationsOption = None
    settings: SettingsOption = None
    resamples: ResamplesOption = 1000
    seed: LearningSeedOption = 0

    def run(self, evaluation: "LineEvaluation[Any, Any, Any]", gold: Path, lines: Mapping[str, Path]) -> None:
        """As `run_evaluation`, with the gold and what each system says."""
        from services.evaluation.common.evaluation_run import run_evaluation

        run_evaluation(
            evaluation,
            turns=self.turns,
            gold=gold,
            lines=lines,
            out=self.out,
            train_turns=self.train_turns or [],
            train_annotations=self.train_annotations or [],
        )


class VariantOptions(Struct, frozen=True, kw_only=True):
    """The options of evaluations of variants of a model."""

    out: ReportOption
    test_turns: SeparateLogOption = None
    gold: SeparateGoldOption = None
    fold: FoldOption = 0
    folds: FoldsOption = 5
    groups: GroupsOption = None
    variant: VariantOption = None
    resume: ResumeOption = False
    settings: SettingsOption = None
    resamples: ResamplesOption = 1000
    seed: LearningSeedOption = 0

    def run(
        self,
        gold_kind: "GoldKind[Any]",
        variants: "Sequence[ModelVariant]",
        kind_of: "Callable[[Settings, Mapping[str, str] | None], VariantKind[Any, Any, Any, Any]]",
        turns: Sequence[Path],
        annotations: Sequence[Path],
    ) -> None:
        """As `run_variants`, on logs that are read as the options say.

        Args:
            gold_kind: what is known of turns.
            variants: of which the options may name some.
            kind_of: how they are made, by the settings and the groups.
            turns: logs to learn from.
            annotations: of turns.

        Raises:
            SettingsError: there is no such variant or fold.
        """
        from services.evaluation.common.group_file import read_groups
        from services.evaluation.common.log_split import Fold, read_split
        from services.evaluation.common.variant_run import named_variants, run_variants

        chosen = named_variants(variants, self.variant or [])
        if self.fold >= self.folds:
            raise SettingsError(
                f"--fold {self.fold}: folds are numbered from 0, so {self.folds} of them end at "
                f"{self.folds - 1}"
            )
        settings = settings_alone(self.settings)
        groups = None if self.groups is None else read_groups(*self.groups)
        kind = kind_of(settings, groups)
        split = read_split(
            gold_kind,
            turns=turns,
            annotations=annotations,
            test_turns=self.test_turns,
            gold=self.gold,
            fold=Fold(self.fold, self.folds),
            groups=groups,
            gap_ms=settings.sessions.gap_ms,
        )
        run_variants(kind, chosen, split, self.out, every=bool(self.variant), resume=self.resume)
