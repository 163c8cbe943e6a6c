"""How the variants of a model were made: a file beside the report, a table, and sentences for its readers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from labeling.models.training_schedule import Progress as StepProgress
from services.evaluation.common.variant_output import VariantFacts
from streams.replaced_file import replaced_file

FACTS: Final = "variants.json"
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

    def write(self, folder: Path) -> None:
        """Writes `FACTS` to the folder of the report."""
        with replaced_file(folder / FACTS) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n")

    def notes(self, strangers: int) -> Sequence[str]:
        """What a reader should know, a sentence each.

        Args:
            strangers: annotations of turns that no log has.
        """
        notes = [f"Left out: {one.variant} ({one.reason})." for one in self.left_out]
        for variant in self.variants:
            notes += [
                f"{variant.variant} says nothing of {model.assistant_id}: {model.why_not}."
                for model in variant.models
                if model.why_not
            ]
        if strangers:
            notes.append(f"{strangers:,} annotations are of turns that are in none of the logs.")
        return notes

    def table(self) -> Table:
        """What the making of each model took."""
        table = Table(
            title=f"Variants, learned from {self.train_turns:,} turns, {self.annotated_turns:,} annotated"
        )
        several = len({model.assistant_id for one in self.variants for model in one.models}) > 1
        table.add_column("variant")
        if several:
            table.add_column("assistant")
        for column in ("annotated", "epochs", "minutes", "learned/s", "labelled/s", "MB"):
            table.add_column(column, justify="right")
        for variant in self.variants:
            for model in variant.models:
                learned = (f"{model.epochs}", f"{model.training_minutes:.1f}")
                learned_per_s = f"{model.training_turns_per_s:,.0f}"
                figures = (
                    f"{model.annotated_turns:,}",
                    *((*learned, learned_per_s) if model.epochs else ("-", "-", "-")),
                    f"{model.labelling_turns_per_s:,.0f}",
                    f"{model.peak_memory_mb:,.0f}",
                )
                whose = [escape(model.assistant_id)] if several else []
                table.add_row(variant.variant, *whose, *(["-"] * len(figures) if model.why_not else figures))
        table.caption = "turns annotated, learned and labelled; MB: the most memory"
        return table


def shown(progress: Progress, bar: TaskID, name: str) -> StepProgress:
    """Shows the steps of a variant of this name in a bar."""

    def show(stage: str, done: int, total: int) -> None:
        progress.update(bar, description=f"{name}: {stage}", completed=done, total=total)

    return show
