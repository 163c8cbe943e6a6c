"""`rehear evaluate label-variants`: label models without each of their parts, trained and scored together."""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from labeling.errors import LabelTrainingError
from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.log_split import by_assistant
from services.evaluation.common.variant_output import VariantFacts
from services.evaluation.common.variants_made import LeftOut, VariantsMade, shown
from services.evaluation.labels.evaluation import print_label_scores
from services.evaluation.labels.report import write_label_report
from services.evaluation.labels.score import LabelScores, score_labels
from services.evaluation.labels.scored_task import TASKS
from services.evaluation.labels.split import LabelSplit
from services.evaluation.labels.variant_labels import VariantLabels, inputs_key, label_folder
from services.evaluation.labels.variants import LabelVariant, named_variants
from services.settings import Settings
from streams.turn import AssistantId, EventId


def run_label_variants(
    *,
    split: LabelSplit,
    settings: Settings,
    out: Path,
    names: Sequence[str] = (),
    resume: bool = False,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> LabelScores:
    """Trains the variants, labels the test sessions with each, and writes one report on all.

    The labels of each are written to the folder `labels` as soon as they are made.

    Args:
        split: what is learned from and what is scored.
        settings: of labels, rephrases and sessions; the variants change those of the labels.
        out: folder of the report.
        names: of the variants; where none is given, all that are something of their own on these logs.
        resume: take labels that are there and were made of the same logs, annotations and settings.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling, and of the baselines that learn.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: gold and logs do not belong together.
        LabelTrainingError: no variant can be trained.
        LabelingError: there is no base to start from, or a session cannot be labelled.
        SettingsError: there is no variant of a name.
    """
    console = Console() if console is None else console
    left_out: list[LeftOut] = []
    variants = []
    for variant in named_variants(names):
        reason = None if names else variant.why_not(split, settings.labels)
        if reason is None:
            variants.append(variant)
        else:
            left_out.append(LeftOut(variant.name, reason))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        made: dict[str, VariantLabels] = {}
        folder = label_folder(out / "labels")
        workshop = _Workshop(split, settings, progress)
        for variant in variants:
            inputs = inputs_key(split, settings, variant)
            known = folder.read(variant, inputs) if resume else None
            if known is None:
                known = workshop.make(variant, inputs)
                if not known.facts.why_not:
                    folder.write(variant, known)
            if known.facts.why_not:
                left_out.append(LeftOut(variant.name, known.facts.why_not))
            else:
                made[variant.name] = known
                console.print(f"{variant.name}: {folder.lines_file(variant)}", soft_wrap=True)
        if not made:
            raise LabelTrainingError(
                "no variant can be trained: " + "; ".join(f"{one.variant}: {one.reason}" for one in left_out)
            )
        scoring = progress.add_task("scoring", total=len(TASKS))
        scores = score_labels(
            split.test_turns,
            split.gold,
            {name: one.lines for name, one in made.items()},
            train_turns=split.train_turns,
            train_gold=split.train_gold,
            gap_ms=settings.sessions.gap_ms,
            resamples=resamples,
            seed=seed,
            on_scored=lambda _: progress.advance(scoring),
        )
    all_made = VariantsMade(
        train_turns=len(split.train_turns),
        test_turns=len(split.test_turns),
        annotated_turns=len(split.annotations),
        variants=tuple(one.facts for one in made.values()),
        left_out=tuple(left_out),
    )
    scores = msgspec.structs.replace(scores, notes=(*scores.notes, *all_made.notes(split.strangers)))
    files = write_label_report(scores, out)
    all_made.write(out)
    console.print(all_made.table())
    print_label_scores(scores, files, console)
    return scores


class _Workshop:
    """Makes variants; what the log itself shows is looked up once."""

    def __init__(self, split: LabelSplit, settings: Settings, progress: Progress) -> None:
        if importlib.util.find_spec("torch") is None:
            raise LabelTrainingError("install rehear with the extra `train`")
        from services.evaluation.labels.variant_training import Lesson
        from services.session_models.labels.weak_labels import weak_labels

        self._settings = settings
        self._progress = progress
        self._test = by_assistant(split.test)
        train = by_assistant(split.train)

        @cache
        def lesson_of(assistant_id: AssistantId) -> Lesson:
            sessions = train.get(assistant_id, [])
            weak = weak_labels([session.turns for session in sessions], settings.rephrases)
            events = (EventId(turn.event_id) for session in sessions for turn in session.turns)
            return Lesson(
                assistant_id=assistant_id,
                sessions=sessions,
                annotations={
                    event: split.annotations[event] for event in events if event in split.annotations
                },
                weak=weak,
            )

        self._lesson_of = lesson_of

    def make(self, variant: LabelVariant, inputs: str) -> VariantLabels:
        """Trains a variant for each assistant of the test sessions, and labels these."""
        from services.evaluation.labels.variant_training import labels_of_variant

        labels: list[TurnLabel] = []
        models = []
        for assistant_id, sessions in self._test.items():
            name = variant.name if len(self._test) == 1 else f"{variant.name}, {assistant_id}"
            bar = self._progress.add_task(name, total=None)

            of_assistant, facts = labels_of_variant(
                variant,
                self._lesson_of(assistant_id),
                sessions,
                self._settings.labels,
                shown(self._progress, bar, name),
            )
            labels += of_assistant
            models.append(facts)
            self._progress.remove_task(bar)
        return VariantLabels(VariantFacts(variant=variant.name, inputs=inputs, models=tuple(models)), labels)
