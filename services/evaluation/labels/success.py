"""Goal success: goals that were missed, and single calls that failed; what is true, and what labels say."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.arrays import Bools
from services.evaluation.labels.binary import BinaryAnswers, BinaryItems
from services.evaluation.labels.defects import TurnItems, probability_answers
from services.evaluation.labels.log import LabelLog


def missed_goal_items(log: LabelLog) -> TurnItems:
    """The last turn of each goal whose end is known; true: the goal was not reached.

    A goal is reached where gold says so of any of its turns, or if a turn of it is correct; it is missed
    where gold says so, or if all of its turns are not.
    """
    turns: list[int] = []
    missed: list[bool] = []
    for goal in _goals(log):
        lines = [log.gold[turn] for turn in goal]
        told = [line.goal_success for line in lines if line.goal_success is not None]
        correct = [line.correct for line in lines if line.correct is not None]
        # With a turn of unknown correctness the goal may have been reached.
        if told or any(correct) or len(correct) == len(lines):
            turns.append(goal[-1])
            missed.append(not any(told or correct))
    return _items(log, turns, missed)


def failed_call_items(log: LabelLog) -> TurnItems:
    """The turns at which gold says whether the goal was reached; true: it says that it was not.

    A goal may have several: a call that fails, and the next one, with other wishes, that succeeds.
    """
    said = [(turn, line.goal_success) for turn, line in enumerate(log.gold) if line.goal_success is not None]
    return _items(log, [turn for turn, _ in said], [not reached for _, reached in said])


def missed_answers(items: TurnItems, labels: Sequence[TurnLabel]) -> tuple[BinaryAnswers, Bools]:
    """What labels, parallel to the log's turns, say at the items' turns, and of which they say anything."""
    reached = [labels[turn].goal_success for turn in items.turn]
    return probability_answers([None if value is None else 1 - value for value in reached])


def _items(log: LabelLog, turns: Sequence[int], missed: Sequence[bool]) -> TurnItems:
    turn = np.array(turns, dtype=np.int64)
    return TurnItems(turn, BinaryItems(np.array(missed, dtype=np.float64), log.cluster[turn]))


def _goals(log: LabelLog) -> list[list[int]]:
    """The turns of each goal: adjacent ones of the same goal id, in one dialogue or of one user."""
    same = groupby(range(len(log.gold)), lambda turn: (log.stretch[turn], log.gold[turn].goal_id))
    return [list(turns) for (_, goal_id), turns in same if goal_id is not None]
