"""Dialogue batches: in which order dialogues are learned from, and which are held back."""

import math
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from streams.turn import TurnEvent

HELD_BACK = 0.1
"""Share of the dialogues on which confidences are calibrated."""

LEAST_HELD_BACK = 300
"""Turns of these at least, while a quarter of the dialogues has as many."""


class Dialogue(Protocol):
    """Something with turns."""

    @property
    def turns(self) -> Sequence[TurnEvent]:
        """In order."""
        ...


AnyDialogue = TypeVar("AnyDialogue", bound=Dialogue)


def epoch_batches(
    dialogues: Sequence[AnyDialogue],
    generator: np.random.Generator,
    *,
    batch_turns: int,
    most_turns: int | None = None,
) -> Iterator[list[AnyDialogue]]:
    """Of one epoch: dialogues in an order by chance, about `batch_turns` turns in each batch.

    Args:
        dialogues: to draw from.
        generator: is moved on.
        batch_turns: from which a batch is full.
        most_turns: from which the epoch is over; None: all dialogues.
    """
    batch: list[AnyDialogue] = []
    n_turns, n_all = 0, 0
    most = most_turns or math.inf
    for number in generator.permutation(len(dialogues)).tolist():
        batch.append(dialogues[number])
        n_turns += len(dialogues[number].turns)
        if n_turns >= batch_turns:
            yield batch
            n_all += n_turns
            batch, n_turns = [], 0
        if n_all + n_turns >= most:
            break
    if batch:
        yield batch


def held_back(
    dialogues: Sequence[Sequence[TurnEvent]], generator: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Numbers of the dialogues that are held back, and of those that are learned from.

    Args:
        dialogues: at least two.
        generator: is moved on.
    """
    order = generator.permutation(len(dialogues)).tolist()
    kept, n_turns = max(1, int(len(order) * HELD_BACK)), 0
    for n_dialogues, number in enumerate(order[: max(1, len(order) // 4)], start=1):
        n_turns += len(dialogues[number])
        if n_turns >= LEAST_HELD_BACK:
            kept = max(kept, n_dialogues)
            break
    else:
        kept = max(1, len(order) // 4)
    return sorted(order[:kept]), sorted(order[kept:])


def held_back_groups(
    dialogues: Sequence[Sequence[TurnEvent]], groups: Sequence[str], generator: np.random.Generator
) -> tuple[list[int], list[int]]:
    """The same, where dialogues of one group (a user, an utterance) are alike: none is on both sides.

    Args:
        dialogues: at least two.
        groups: of each dialogue; where all are of one group, they are taken as groups of their own.
        generator: is moved on.
    """
    members: dict[str, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    if len(members) < 2:
        return held_back(dialogues, generator)
    joined = [[turn for number in of_group for turn in dialogues[number]] for of_group in members.values()]
    kept, learned = held_back(joined, generator)
    numbers = list(members.values())
    return (
        sorted(number for group in kept for number in numbers[group]),
        sorted(number for group in learned for number in numbers[group]),
    )
