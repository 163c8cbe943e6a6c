"""Response swaps: dialogues made worse on purpose, to learn from unlabelled logs what a fitting response is.

A model that can tell the assistant's own response from one that was put in its place knows much of what makes
a turn fail (Kachuee et al., NAACL 2021, pre-train for satisfaction in the same way). The kinds,
from easy to hard: the response to anything (`other`), to a request of the same intent (`same_intent`), an
earlier one of the same dialogue (`stale`), the same words with another value (`entity`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Literal, get_args

import numpy as np
from msgspec import Struct

from labeling.annotations.annotation import AnnotatedSlot
from labeling.labels.targets import found_slots
from labeling.turns.features import intent_name, interpretation
from labeling.turns.texts import said_by
from streams.turn import TurnEvent

SwapKind = Literal["other", "same_intent", "stale", "entity"]

KINDS: Final[tuple[SwapKind, ...]] = get_args(SwapKind)

_MOST_KEPT: Final = 20_000  # responses, and values of a kind: enough to choose from


class Responses(Struct, frozen=True):
    """What the responses of a log can be swapped with."""

    all: Sequence[str]
    by_intent: Mapping[str, Sequence[str]]
    values: Mapping[str, Sequence[str]]  # by slot name

    @classmethod
    def of(cls, dialogues: Sequence[Sequence[TurnEvent]]) -> "Responses":
        """Collects them, in the order of the log."""
        by_intent: dict[str, dict[str, None]] = defaultdict(dict)
        everything: dict[str, None] = {}
        values: dict[str, dict[str, None]] = defaultdict(dict)
        for turns in dialogues:
            for turn in turns:
                if (said := said_by(turn)) is None or len(everything) >= _MOST_KEPT:
                    continue
                everything[said] = None
                if (kind := _kind(turn)) is not None:
                    by_intent[kind][said] = None
                for name, value in _values(turn):
                    values[name][value] = None
        return cls(
            list(everything),
            {kind: list(texts) for kind, texts in by_intent.items()},
            {name: list(seen) for name, seen in values.items()},
        )

    def swapped(
        self, turns: Sequence[TurnEvent], position: int, kind: SwapKind, generator: np.random.Generator
    ) -> str | None:
        """Another response to a turn; None where there is none of this kind."""
        turn = turns[position]
        said = said_by(turn)
        if kind == "other":
            return _drawn(self.all, said, generator)
        if kind == "same_intent":
            return _drawn(self.by_intent.get(_kind(turn) or "", ()), said, generator)
        if kind == "stale":
            earlier = [text for other in turns[:position] if (text := said_by(other)) is not None]
            return _drawn(earlier, said, generator)
        return self._with_other_value(turn, said, generator)

    def _with_other_value(
        self, turn: TurnEvent, said: str | None, generator: np.random.Generator
    ) -> str | None:
        for name, value in _values(turn):
            for found in found_slots(said or "", [AnnotatedSlot(name=name, value=value)]):
                other = _drawn(self.values.get(name, ()), value, generator)
                if said is not None and other is not None:
                    return said[: found.start] + other + said[found.end :]
        return None


def _kind(turn: TurnEvent) -> str | None:
    """What requests of one kind share: the intent, where the log has it, else the assistant's act."""
    name = intent_name(interpretation(turn))
    return name if name is not None or turn.response is None else turn.response.action


def _values(turn: TurnEvent) -> list[tuple[str, str]]:
    hypothesis = interpretation(turn)
    named = [(slot.name, slot.value) for slot in hypothesis.slots] if hypothesis else []
    named += [(entity.type or "", entity.resolved or entity.mention) for entity in turn.entities]
    return [(name, value) for name, value in named if value]


def _drawn(texts: Sequence[str], without: str | None, generator: np.random.Generator) -> str | None:
    """One of some texts, not this one, in whatever letters; None where chance finds no other."""
    own = None if without is None else without.lower()
    for _ in range(3):
        if texts and (text := texts[int(generator.integers(len(texts)))]).lower() != own:
            return text
    return None
