"""The variants of the failure model, as `run_variants` makes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from failure_isolation.errors import FailureTrainingError
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.common.log_split import LogSplit, by_assistant, group_names
from services.evaluation.common.variant_run import MakeLines, VariantKind
from services.evaluation.failures.evaluation import FailureEvaluation
from services.evaluation.failures.gold import GoldFailure
from services.evaluation.failures.score import FailureScores
from services.evaluation.failures.variants import FailureVariant
from streams.errors import RehearError

if TYPE_CHECKING:  # torch is imported only where something is trained
    from services.evaluation.failures.variant_training import TrainFailures


class FailureVariants(
    VariantKind[FailureVariant, GoldFailure, TurnFailure, FailureScores], frozen=True, kw_only=True
):
    """Failure models, each trained for each assistant by itself, with the settings of the evaluation.

    No turn of a group is held back for the calibration while another one of it is learned from.
    """

    evaluation: FailureEvaluation
    train: "TrainFailures | None" = None  # trains one variant; as `rehear learn` does where None
    lines_name: str = "failures"
    training_error: type[RehearError] = FailureTrainingError

    def why_not(self, variant: FailureVariant, split: LogSplit[GoldFailure]) -> str | None:
        """As `FailureVariant.why_not`."""
        return variant.why_not(split, self.evaluation.settings)

    def settings_of(self, variant: FailureVariant) -> list[object]:
        """All that its failures depend on beside the logs."""
        known = self.evaluation
        return [variant.name, sorted(variant.hidden), variant.withheld, known.settings, known.groups or {}]

    @contextmanager
    def workshop(self, split: LogSplit[GoldFailure]) -> Iterator[MakeLines[FailureVariant, TurnFailure]]:
        """Trains variants, and isolates the failures of test sessions."""
        from services.evaluation.failures.variant_training import (
            FailureWorkshop,
            VariantLesson,
            train_variant,
        )

        groups = self.evaluation.groups
        lessons = {
            assistant_id: VariantLesson(
                assistant_id=assistant_id,
                sessions=sessions,
                annotations=split.annotations_of(sessions),
                groups=None if groups is None else group_names(sessions, groups),
            )
            for assistant_id, sessions in by_assistant(split.train).items()
        }
        with TemporaryDirectory() as folder:
            train, settings = self.train or train_variant, self.evaluation.settings
            yield FailureWorkshop(lessons, settings, train, Path(folder)).failures
