"""`rehear evaluate label-variants`: label models without each of their parts, trained and scored together."""

import importlib.util
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from labeling.errors import LabelTrainingError
from labeling.label_file import replaced_file
from labeling.training_schedule import Progress as StepProgress
from labeling.turn_label import TurnLabel
from services.evaluation.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.label_evaluation import print_label_scores
from services.evaluation.label_report import write_label_report
from services.evaluation.label_score import LabelScores, score_labels
from services.evaluation.label_split import LabelSplit, by_assistant
from services.evaluation.label_task import TASKS
from services.evaluation.label_variants import LabelVariant, named_variants
from services.evaluation.variant_labels import LabelFolder, VariantFacts, VariantLabels, inputs_key
from services.settings import Settings
from streams.turn import AssistantId, EventId

FACTS = "variants.json"
"""In the folder of the report: how the variants were made, with times, which the report does not hold."""


class LeftOut(Struct, frozen=True):
    """A variant that was not made."""

    variant: str
    reason: str


class VariantsMade(Struct, frozen=True):
    """How the variants were made; the content of `FACTS`."""

    train_turns: int
    test_turns: int
    annotated_turns: int  # of the training turns
    variants: tuple[VariantFacts, ...]
    left_out: tuple[LeftOut, ...]


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
        folder = LabelFolder(out / "labels")
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
                console.print(f"{variant.name}: {folder.labels_file(variant)}", soft_wrap=True)
        if not made:
            raise LabelTrainingError(
                "no variant can be trained: " + "; ".join(f"{one.variant}: {one.reason}" for one in left_out)
            )
        scoring = progress.add_task("scoring", total=len(TASKS))
        scores = score_labels(
            split.test_turns,
            split.gold,
            {name: one.labels for name, one in made.items()},
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
    scores = msgspec.structs.replace(scores, notes=(*scores.notes, *_notes(split, all_made)))
    files = write_label_report(scores, out)
    with replaced_file(out / FACTS) as stream:
        stream.write(msgspec.json.format(msgspec.json.encode(all_made), indent=2) + b"\n")
    console.print(facts_table(all_made))
    print_label_scores(scores, files, console)
    return scores


def facts_table(made: VariantsMade) -> Table:
    """What the making of each model took."""
    table = Table(
        title=f"Variants, learned from {made.train_turns:,} turns, {made.annotated_turns:,} annotated"
    )
    several = len({model.assistant_id for one in made.variants for model in one.models}) > 1
    table.add_column("variant")
    if several:
        table.add_column("assistant")
    for column in ("annotated", "epochs", "minutes", "learned/s", "labelled/s", "MB"):
        table.add_column(column, justify="right")
    for variant in made.variants:
        for model in variant.models:
            figures = (
                f"{model.annotated_turns:,}",
                f"{model.epochs}",
                f"{model.training_minutes:.1f}",
                f"{model.training_turns_per_s:,.0f}",
                f"{model.labelling_turns_per_s:,.0f}",
                f"{model.peak_memory_mb:,.0f}",
            )
            whose = [escape(model.assistant_id)] if several else []
            table.add_row(variant.variant, *whose, *(["-"] * len(figures) if model.why_not else figures))
    table.caption = "turns annotated, learned and labelled; MB: the most memory"
    return table


class _Workshop:
    """Makes variants; what the log itself shows is looked up once."""

    def __init__(self, split: LabelSplit, settings: Settings, progress: Progress) -> None:
        if importlib.util.find_spec("torch") is None:
            raise LabelTrainingError("install rehear with the extra `train`")
        from services.evaluation.label_variant_training import Lesson
        from services.weak_labels import weak_labels

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
        from services.evaluation.label_variant_training import labels_of_variant

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
                _shown(self._progress, bar, name),
            )
            labels += of_assistant
            models.append(facts)
            self._progress.remove_task(bar)
        return VariantLabels(VariantFacts(variant=variant.name, inputs=inputs, models=tuple(models)), labels)


def _shown(progress: Progress, bar: TaskID, name: str) -> StepProgress:
    def show(stage: str, done: int, total: int) -> None:
        progress.update(bar, description=f"{name}: {stage}", completed=done, total=total)

    return show


def _notes(split: LabelSplit, made: VariantsMade) -> list[str]:
    notes = [f"Left out: {one.variant} ({one.reason})." for one in made.left_out]
    for variant in made.variants:
        notes += [
            f"{variant.variant} says nothing of {model.assistant_id}: {model.why_not}."
            for model in variant.models
            if model.why_not
        ]
    if split.strangers:
        notes.append(f"{split.strangers:,} annotations are of turns that are in none of the logs.")
    return notes
