"""Variants of one kind of model: each is made and heard on the same log, and one report tells of all."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct
from rich.console import Console
from rich.progress import Progress

from labeling.models.training_schedule import Progress as ShowSteps
from services.errors import SettingsError
from services.evaluation.common.evaluation_run import LineEvaluation, ScoredLog, Scores, progress_bars
from services.evaluation.common.json_lines import EventLine
from services.evaluation.common.log_split import LogSplit, by_assistant
from services.evaluation.common.variant_output import (
    ModelFacts,
    ModelVariant,
    VariantFacts,
    VariantFolder,
    VariantOutput,
    hash_of_inputs,
)
from services.evaluation.common.variants_made import LeftOut, VariantsMade, shown
from streams.errors import RehearError
from streams.session import Session
from streams.turn import AssistantId

Gold = TypeVar("Gold", bound=EventLine)
Line = TypeVar("Line")
Variant = TypeVar("Variant", bound=ModelVariant)

MakeLines: TypeAlias = Callable[
    [Variant, AssistantId, Sequence[Session], ShowSteps], tuple[list[Line], ModelFacts]
]
"""Makes a variant for one assistant: what it says of the sessions, and how it came about."""


class VariantKind(Struct, Generic[Variant, Gold, Line, Scores], frozen=True, kw_only=True):
    """What is particular to the variants of one kind of model."""

    evaluation: LineEvaluation[Gold, Line, Scores]
    lines_name: str  # what they say, in one word: the folder that it is kept in
    training_error: type[RehearError]  # raised where none can be trained

    def why_not(self, variant: Variant, split: LogSplit[Gold]) -> str | None:
        """Why a variant would be nothing of its own on these logs; None: it would."""
        raise NotImplementedError

    def settings_of(self, variant: Variant) -> Sequence[object]:
        """All that its lines depend on beside the logs; whatever can be JSON."""
        raise NotImplementedError

    def workshop(self, split: LogSplit[Gold]) -> AbstractContextManager[MakeLines[Variant, Line]]:
        """What makes variants, as long as it is open."""
        raise NotImplementedError


def named_variants(variants: Sequence[Variant], names: Sequence[str]) -> list[Variant]:
    """The variants of these names, in their own order; all where there are none.

    Raises:
        SettingsError: there is no variant of a name.
    """
    known = {variant.name for variant in variants}
    if unknown := sorted(set(names) - known):
        raise SettingsError(
            f"there is no variant {unknown[0]!r}: there are "
            + ", ".join(repr(variant.name) for variant in variants)
        )
    return [variant for variant in variants if not names or variant.name in names]


def run_variants(
    kind: VariantKind[Variant, Gold, Line, Scores],
    variants: Sequence[Variant],
    split: LogSplit[Gold],
    out: Path,
    *,
    every: bool = False,
    resume: bool = False,
    console: Console | None = None,
) -> Scores:
    """Makes the variants, has each speak of the test sessions, and writes one report on all.

    What each says is written to a folder of its own as soon as it is made.

    Args:
        kind: of model.
        variants: to be made, in the order of the report.
        split: what is learned from and what is scored.
        out: folder of the report.
        every: whether those are made, too, that are nothing of their own on these logs.
        resume: take what is there and was made of the same logs, annotations and settings.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: gold and logs do not belong together.
        RehearError: no variant can be trained, there is no base to start from, or a session cannot be read.
    """
    console = console or Console()
    whys = {variant.name: None if every else kind.why_not(variant, split) for variant in variants}
    left_out = [LeftOut(name, why) for name, why in whys.items() if why is not None]
    with progress_bars(console) as progress:
        if importlib.util.find_spec("torch") is None:
            raise kind.training_error("install rehear with the extra `train`")
        folder = VariantFolder(out / kind.lines_name, kind.evaluation.read_lines)
        making = _Making(kind, split, folder, progress, console)
        made = making.run([variant for variant in variants if whys[variant.name] is None], resume=resume)
        left_out += [LeftOut(name, one.facts.why_not) for name, one in made.items() if one.facts.why_not]
        made = {name: one for name, one in made.items() if not one.facts.why_not}
        if not made:
            reasons = "; ".join(f"{one.variant}: {one.reason}" for one in left_out)
            raise kind.training_error(f"no variant can be trained: {reasons}")
        all_made = VariantsMade(
            train_turns=len(split.train_turns),
            test_turns=len(split.test_turns),
            annotated_turns=len(split.train_gold),
            variants=tuple(one.facts for one in made.values()),
            left_out=tuple(left_out),
        )
        log = ScoredLog(
            turns=split.test_turns,
            gold=split.gold,
            lines={name: one.lines for name, one in made.items()},
            train_turns=split.train_turns,
            train_gold=split.train_gold,
        )
        scores = kind.evaluation.score(log, progress, all_made.notes(split.strangers))
    report = kind.evaluation.report(scores)
    files = report.write(out)
    all_made.write(out)
    console.print(all_made.table())
    report.show(files, console)
    return scores


class _Making(Struct, Generic[Variant, Gold, Line, Scores], frozen=True):
    """Makes variants one after the other."""

    kind: VariantKind[Variant, Gold, Line, Scores]
    split: LogSplit[Gold]
    folder: VariantFolder[Line]
    progress: Progress
    console: Console

    def run(self, variants: Sequence[Variant], *, resume: bool) -> Mapping[str, VariantOutput[Line]]:
        """What each says, by its name; nothing of use where the facts tell why not."""
        found: dict[str, VariantOutput[Line]] = {}
        with self.kind.workshop(self.split) as make:
            for variant in variants:
                settings = self.kind.settings_of(variant)
                inputs = hash_of_inputs(settings, [self.split.train, self.split.test], self.split.annotations)
                known = self.folder.read(variant, inputs) if resume else None
                if known is None:
                    known = self._made(make, variant, inputs)
                    if not known.facts.why_not:
                        self.folder.write(variant, known)
                found[variant.name] = known
                if not known.facts.why_not:
                    self.console.print(f"{variant.name}: {self.folder.lines_file(variant)}", soft_wrap=True)
        return found

    def _made(self, make: MakeLines[Variant, Line], variant: Variant, inputs: str) -> VariantOutput[Line]:
        lines: list[Line] = []
        models = []
        of_assistants = by_assistant(self.split.test)
        for assistant_id, sessions in of_assistants.items():
            name = variant.name if len(of_assistants) == 1 else f"{variant.name}, {assistant_id}"
            bar = self.progress.add_task(name, total=None)
            of_assistant, facts = make(variant, assistant_id, sessions, shown(self.progress, bar, name))
            lines += of_assistant
            models.append(facts)
            self.progress.remove_task(bar)
        return VariantOutput(VariantFacts(variant=variant.name, inputs=inputs, models=tuple(models)), lines)
