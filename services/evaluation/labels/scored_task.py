"""The score of one task: systems beside each other on the same items."""

from collections.abc import Iterable
from typing import Literal, get_args

import numpy as np
from msgspec import Struct

from services.evaluation.common.arrays import Ints
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.resamples import Difference, Measures, differences_of_first, estimates
from services.evaluation.common.score_thresholds import CurvePoint, ReliabilityBin

Task = Literal[
    "goals",
    "defect",
    "defect without signals",
    "goal success",
    "goal success of calls",
    "satisfaction",
    "dialogue satisfaction",
    "domain",
    "intent",
    "slots",
    "slot values",
]

TASKS: tuple[Task, ...] = get_args(Task)


class SystemScore(Struct, frozen=True, kw_only=True):
    """What one system is worth on one task."""

    name: str
    baseline: bool
    labelled: int  # items of which it says anything
    measures: dict[str, Estimate]
    curve: tuple[CurvePoint, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()


class TaskScore(Struct, frozen=True, kw_only=True):
    """Systems, baselines last, on the same items."""

    task: Task
    items: int
    positives: float | None  # items of which it is true; None: items have classes
    clusters: int  # with any item
    window: int | None = None  # of WindowDiff, in turns
    systems: tuple[SystemScore, ...]
    differences: tuple[Difference, ...]  # of the first system and all others


class TaskBoard(Struct):
    """The systems of one task so far; the fields of a `TaskScore` are as there."""

    task: Task
    items: int
    positives: float | None
    cluster: Ints  # (items,) of each
    window: int | None = None
    systems: list[SystemScore] = []
    draws: list[tuple[str, Measures]] = []  # of each system

    def add(
        self,
        name: str,
        measures: Measures,
        *,
        baseline: bool = False,
        labelled: int | None = None,
        curve: Iterable[CurvePoint] = (),
        reliability: Iterable[ReliabilityBin] = (),
    ) -> None:
        """Adds a system; the first one is compared with all others.

        Args:
            name: of the system.
            measures: on the items of the task.
            baseline: whether it is one.
            labelled: items of which it says anything; all of them where None.
            curve: precision and recall as its threshold falls.
            reliability: of its scores.
        """
        self.draws.append((name, measures))
        self.systems.append(
            SystemScore(
                name=name,
                baseline=baseline,
                labelled=self.items if labelled is None else labelled,
                measures=estimates(measures),
                curve=tuple(curve),
                reliability=tuple(reliability),
            )
        )

    def result(self) -> TaskScore:
        """The score of the task; there is at least one system."""
        return TaskScore(
            task=self.task,
            items=self.items,
            positives=self.positives,
            clusters=len(np.unique(self.cluster)),
            window=self.window,
            systems=tuple(self.systems),
            differences=() if self.systems[0].baseline else differences_of_first(self.draws),
        )
