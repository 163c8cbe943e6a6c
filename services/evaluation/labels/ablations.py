"""The variants of the label model, as `run_variants` makes them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache

from labeling.errors import LabelTrainingError
from labeling.labels.turn_label import TurnLabel
from labeling.models.training_schedule import Progress
from services.evaluation.common.log_split import LogSplit, by_assistant
from services.evaluation.common.variant_output import ModelFacts
from services.evaluation.common.variant_run import MakeLines, VariantKind
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.score import LabelScores
from services.evaluation.labels.variants import LabelVariant
from services.settings import Settings
from streams.errors import RehearError
from streams.session import Session
from streams.turn import AssistantId


class LabelVariants(VariantKind[LabelVariant, GoldLabel, TurnLabel, LabelScores], frozen=True, kw_only=True):
    """Label models, each trained for each assistant by itself; what a log shows is looked up once."""

    settings: Settings  # of labels and rephrases; the variants change those of the labels
    lines_name: str = "labels"
    training_error: type[RehearError] = LabelTrainingError

    def why_not(self, variant: LabelVariant, split: LogSplit[GoldLabel]) -> str | None:
        """As `LabelVariant.why_not`."""
        return variant.why_not(split, self.settings.labels)

    def settings_of(self, variant: LabelVariant) -> list[object]:
        """All that its labels depend on beside the logs."""
        return [variant, self.settings.labels, self.settings.rephrases]

    @contextmanager
    def workshop(self, split: LogSplit[GoldLabel]) -> Iterator[MakeLines[LabelVariant, TurnLabel]]:
        """Trains variants, and labels test sessions."""
        from services.evaluation.labels.variant_training import Lesson, labels_of_variant
        from services.session_models.labels.weak_labels import weak_labels

        train = by_assistant(split.train)

        @cache
        def lesson_of(assistant_id: AssistantId) -> Lesson:
            sessions = train.get(assistant_id, [])
            return Lesson(
                assistant_id=assistant_id,
                sessions=sessions,
                annotations=split.annotations_of(sessions),
                weak=weak_labels([session.turns for session in sessions], self.settings.rephrases),
            )

        def make(
            variant: LabelVariant, assistant_id: AssistantId, sessions: Sequence[Session], show: Progress
        ) -> tuple[list[TurnLabel], ModelFacts]:
            return labels_of_variant(variant, lesson_of(assistant_id), sessions, self.settings.labels, show)

        yield make
