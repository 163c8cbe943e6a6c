"""`rehear evaluate failure-variants`: failure models that lack something, trained and scored together."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from failure_isolation.errors import FailureTrainingError
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.log_split import by_assistant, group_names
from services.evaluation.common.variant_output import (
    VariantFacts,
    VariantFolder,
    VariantOutput,
    hash_of_inputs,
)
from services.evaluation.common.variants_made import LeftOut, VariantsMade, shown
from services.evaluation.failures.evaluation import baseline_failures, print_failure_scores
from services.evaluation.failures.file import read_failures
from services.evaluation.failures.report import write_failure_report
from services.evaluation.failures.score import FailureScores, score_failures
from services.evaluation.failures.split import FailureSplit
from services.evaluation.failures.variants import FailureVariant, named_failure_variants
from services.settings import Settings
from streams.turn import EventId

if TYPE_CHECKING:  # torch is imported only where something is trained
    from services.evaluation.failures.variant_training import FailureWorkshop, TrainFailures


def run_failure_variants(
    *,
    split: FailureSplit,
    settings: Settings,
    out: Path,
    names: Sequence[str] = (),
    groups: Mapping[str, str] | None = None,
    encoder: bool = True,
    resume: bool = False,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
    train: "TrainFailures | None" = None,
) -> FailureScores:
    """Trains the variants, isolates the failures of the test sessions with each, and writes one report.

    The failures of each are written to the folder `failures` as soon as they are made.

    Args:
        split: what is learned from and what is scored.
        settings: of failures and sessions; the variants change those of the failures.
        out: folder of the report.
        names: of the variants; where none is given, all that are something of their own on these logs.
        groups: of turns by their event; none is held back for the calibration while another turn of it is
            learned from, and they are resampled where there is one user.
        encoder: whether the baseline that reads requests and responses is trained, too.
        resume: take failures that are there and were made of the same logs, annotations and settings.
        resamples: for the confidence intervals.
        seed: of the resampling, and of the baselines that learn.
        console: where progress and tables go; standard output by default.
        train: trains one variant; as `rehear learn` does where None.

    Raises:
        EvaluationError: gold and logs do not belong together.
        FailureTrainingError: no variant can be trained.
        FailureInputError: there is a session whose failures cannot be isolated.
        LabelingError: there is no base to start from.
        SettingsError: there is no variant of a name.
    """
    console = Console() if console is None else console
    left_out: list[LeftOut] = []
    variants = []
    for variant in named_failure_variants(names):
        reason = None if names else variant.why_not(split, settings.failures)
        if reason is None:
            variants.append(variant)
        else:
            left_out.append(LeftOut(variant.name, reason))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        made: dict[str, VariantOutput[TurnFailure]] = {}
        folder = VariantFolder(out / "failures", read_failures)
        workshop = _workshop(split, settings, groups, train)
        for variant in variants:
            inputs = hash_of_inputs(
                [variant.name, sorted(variant.hidden), variant.withheld, settings.failures, groups or {}],
                [split.train, split.test],
                split.annotations,
            )
            known = folder.read(variant, inputs) if resume else None
            if known is None:
                known = _made(workshop, variant, split, inputs, progress)
                if not known.facts.why_not:
                    folder.write(variant, known)
            if known.facts.why_not:
                left_out.append(LeftOut(variant.name, known.facts.why_not))
            else:
                made[variant.name] = known
                console.print(f"{variant.name}: {folder.lines_file(variant)}", soft_wrap=True)
        workshop.close()
        if not made:
            raise FailureTrainingError(
                "no variant can be trained: " + "; ".join(f"{one.variant}: {one.reason}" for one in left_out)
            )
        all_made = VariantsMade(
            train_turns=len(split.train_turns),
            test_turns=len(split.test_turns),
            annotated_turns=len(split.train_gold),
            variants=tuple(one.facts for one in made.values()),
            left_out=tuple(left_out),
        )
        notes = list(all_made.notes(split.strangers))
        baselines = baseline_failures(
            split.test_turns,
            split.train_turns,
            split.train_gold,
            settings=settings.failures,
            encoder=encoder,
            gap_ms=settings.sessions.gap_ms,
            seed=seed,
            progress=progress,
            notes=notes,
        )
        scores = score_failures(
            split.test_turns,
            split.gold,
            {name: one.lines for name, one in made.items()},
            baselines,
            gap_ms=settings.sessions.gap_ms,
            groups=groups,
            resamples=resamples,
            seed=seed,
            notes=notes,
        )
    files = write_failure_report(scores, out)
    all_made.write(out)
    console.print(all_made.table())
    print_failure_scores(scores, files, console)
    return scores


def _workshop(
    split: FailureSplit,
    settings: Settings,
    groups: Mapping[str, str] | None,
    train: "TrainFailures | None",
) -> "FailureWorkshop":
    if importlib.util.find_spec("torch") is None:
        raise FailureTrainingError("install rehear with the extra `train`")
    from services.evaluation.failures.variant_training import FailureWorkshop, VariantLesson, train_variant

    lessons = {}
    for assistant_id, sessions in by_assistant(split.train).items():
        events = (EventId(turn.event_id) for session in sessions for turn in session.turns)
        lessons[assistant_id] = VariantLesson(
            assistant_id=assistant_id,
            sessions=sessions,
            annotations={event: split.annotations[event] for event in events if event in split.annotations},
            groups=None if groups is None else group_names(sessions, groups),
        )
    return FailureWorkshop(lessons, settings.failures, train or train_variant)


def _made(
    workshop: "FailureWorkshop",
    variant: FailureVariant,
    split: FailureSplit,
    inputs: str,
    progress: Progress,
) -> VariantOutput[TurnFailure]:
    failures: list[TurnFailure] = []
    models = []
    of_assistants = by_assistant(split.test)
    for assistant_id, sessions in of_assistants.items():
        name = variant.name if len(of_assistants) == 1 else f"{variant.name}, {assistant_id}"
        bar = progress.add_task(name, total=None)

        of_assistant, facts = workshop.failures(variant, assistant_id, sessions, shown(progress, bar, name))
        failures += of_assistant
        models.append(facts)
        progress.remove_task(bar)
    return VariantOutput(VariantFacts(variant=variant.name, inputs=inputs, models=tuple(models)), failures)
