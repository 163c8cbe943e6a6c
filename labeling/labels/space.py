"""The label space: which labels a model gives, and their classes."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from labeling.annotations.annotation import Annotation
from labeling.labels.turn_label import LabelName
from labeling.turns.dialogue_part import Part

BINARY: Final[tuple[LabelName, ...]] = ("goal_start", "goal_success", "defect")
RATINGS: Final[tuple[LabelName, ...]] = ("satisfaction", "dialogue_satisfaction")
NAMED: Final[tuple[LabelName, ...]] = ("domain", "intent")

N_RATINGS: Final = 5

OUTSIDE: Final = 0
"""Tag of a token that is in no slot. Those of slot i are 2i + 1 (its first token) and 2i + 2 (the others)."""


class LabelSpace(Struct, frozen=True, forbid_unknown_fields=True):
    """What a model is trained for. A label without a task here is not given."""

    tasks: tuple[LabelName, ...]
    domains: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    from_log: tuple[LabelName, ...] = ()
    """The tasks that the log itself teaches, beside what annotations say of them."""

    hidden: dict[LabelName, tuple[Part, ...]] = {}
    """What is hidden where a label is given: what it was made of, where the log made it."""

    def width(self, task: LabelName) -> int:
        """Logits of a task, for each turn (for each token of a request: slots)."""
        return {
            "domain": len(self.domains),
            "intent": len(self.intents),
            "slots": 2 * len(self.slots) + 1,
            "satisfaction": N_RATINGS,
            "dialogue_satisfaction": N_RATINGS,
        }.get(task, 1)

    def hidden_for(self, task: LabelName) -> frozenset[Part]:
        """What a model does not read when it gives a label."""
        return frozenset(self.hidden.get(task, ()))


def frequent_names(names: Iterable[str], least: int) -> tuple[str, ...]:
    """Names that occur `least` times or more, the most frequent first."""
    counts = [(name, count) for name, count in Counter(names).items() if count >= least]
    return tuple(name for name, _ in sorted(counts, key=lambda one: (-one[1], one[0])))


def annotates(annotation: Annotation, task: LabelName) -> bool:
    """Whether an annotation says something of a label."""
    if task == "goal_start":
        return annotation.goal_id is not None
    if task == "defect":
        return annotation.correct is not None
    return getattr(annotation, task) is not None


def space_views(space: LabelSpace) -> list[tuple[frozenset[Part], tuple[LabelName, ...]]]:
    """The tasks by what is hidden for them, in a fixed order."""
    views: dict[frozenset[Part], list[LabelName]] = {}
    for task in space.tasks:
        views.setdefault(space.hidden_for(task), []).append(task)
    return [(hidden, tuple(tasks)) for hidden, tasks in sorted(views.items(), key=lambda one: sorted(one[0]))]
