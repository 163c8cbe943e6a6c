"""Measures of slots: by name and characters where gold says where a value stands, or by name and value."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.arrays import Floats, Ints
from services.evaluation.common.resamples import ClusterResamples, agreement
from services.evaluation.labels.log import LabelLog
from streams.turn import TurnEvent

SlotForm = Literal["span", "value"]
"""What of a slot is compared, beside its name: the characters exactly, or the value in lower case."""

SlotSet = Counter[Hashable]


class SlotItems(Struct, frozen=True, kw_only=True):
    """Turns whose slots are known."""

    turn: Ints  # (items,) number in the log
    truth: Sequence[SlotSet]
    cluster: Ints  # (items,)
    form: SlotForm

    @classmethod
    def of(cls, log: LabelLog, form: SlotForm) -> "SlotItems":
        """The turns of a log whose slots are known in a form; turns known to have none are among them."""
        turn, truth = [], []
        for number, line in enumerate(log.gold):
            text = log.turns[number].request.text
            slots = [
                _slot(form, slot.name, slot.value, slot.start, slot.end, text) for slot in line.slots or ()
            ]
            if line.slots is not None and None not in slots:
                turn.append(number)
                truth.append(Counter(slots))
        if not any(truth) and form == "span":
            turn, truth = [], []  # turns without slots alone say nothing about characters
        numbers = np.array(turn, dtype=np.int64)
        return cls(turn=numbers, truth=truth, cluster=log.cluster[numbers], form=form)


def _slot(
    form: SlotForm, name: str, value: str | None, start: int | None, end: int | None, text: str
) -> Hashable | None:
    """A slot as it is compared; None where that is not known of it."""
    if form == "span":
        return None if start is None or end is None else (name, start, end)
    if value is None:
        if start is None or end is None:
            return None
        value = text[start:end]
    return name, " ".join(value.lower().split())


def labelled_slots(log: LabelLog, items: SlotItems, labels: Sequence[TurnLabel]) -> list[SlotSet]:
    """The slots of labels that are parallel to the turns of the log."""
    return [
        Counter(
            _slot(items.form, slot.name, slot.value, slot.start, slot.end, log.turns[turn].request.text)
            for slot in labels[turn].slots or ()
        )
        for turn in items.turn
    ]


def understood_slots(log: LabelLog, items: SlotItems) -> list[SlotSet] | None:
    """The slots of the log's own NLU; None where it has none, or characters are compared."""
    if items.form == "span" or not any(log.turns[turn].nlu for turn in items.turn):
        return None
    return [_understood(log.turns[turn]) for turn in items.turn]


def _understood(turn: TurnEvent) -> SlotSet:
    slots = turn.nlu[0].slots if turn.nlu else ()
    return Counter(_slot("value", slot.name, slot.value or "", None, None, "") for slot in slots)


def slot_measures(
    items: SlotItems, said: Sequence[SlotSet], resamples: ClusterResamples
) -> dict[str, Floats]:
    """Precision, recall and F1 over all slots."""
    columns = np.array(
        [
            ((true & named).total(), true.total(), named.total())
            for true, named in zip(items.truth, said, strict=True)
        ],
        dtype=np.float64,
    ).reshape(-1, 3)
    both, gold, named = resamples.sums(items.cluster, columns).T
    return agreement(both, gold, named)
