"""Measures of goal segmentation: where a new goal starts among the turns of a dialogue, or of a user.

A boundary lies between two adjacent turns of different goals. A first turn starts a goal in any case, so it
does not count.

WindowDiff (Pevzner & Hearst 2002, https://aclanthology.org/J02-1002) is the share of windows of k + 1 turns
in which the number of boundaries is not that of the gold; 0 is best. A stretch that is shorter than a window
is one window.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from labeling.text.outcome import judge_turns
from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.resamples import ClusterResamples, agreement, share
from services.evaluation.labels.log import LabelLog

SMALLEST_WINDOW = 2
"""Of `k`: a window of fewer turns would count each misplaced boundary as a missed and a false one alone."""


class GoalItems(Struct, frozen=True, kw_only=True):
    """Pairs of adjacent turns of one stretch whose goals are known, in order."""

    later: Ints  # (pairs,) number of the later turn of each
    boundary: Bools  # (pairs,) a new goal starts with it
    cluster: Ints  # (pairs,)
    window: int  # `k`, in turns
    starts: Ints  # (windows,) number of the first pair of each window
    ends: Ints  # (windows,) one past its last pair

    @classmethod
    def of(cls, log: LabelLog) -> "GoalItems":
        """The pairs of a log; the window is half of the mean length of a goal, and at least 2."""
        known = np.array([line.goal_id is not None for line in log.gold], dtype=np.bool_)
        pair = known[1:] & known[:-1] & (log.stretch[1:] == log.stretch[:-1])
        later = np.flatnonzero(pair) + 1
        boundary = np.array(
            [log.gold[turn].goal_id != log.gold[turn - 1].goal_id for turn in later.tolist()], dtype=np.bool_
        )
        # A stretch of n turns has n - 1 pairs, and each goal of it but the first has a boundary.
        first = np.append(True, np.diff(later) != 1) if len(later) else np.zeros(0, dtype=np.bool_)
        stretch_starts = np.flatnonzero(first)
        stretch_ends = np.append(stretch_starts[1:], len(later)).astype(np.int64)
        turns, goals = len(later) + len(stretch_starts), int(boundary.sum()) + len(stretch_starts)
        window = max(SMALLEST_WINDOW, math.floor(turns / goals / 2 + 0.5)) if goals else SMALLEST_WINDOW
        spans = [
            (start, min(start + window, end))
            for first_pair, end in zip(stretch_starts.tolist(), stretch_ends.tolist(), strict=False)
            for start in range(first_pair, max(end - window, first_pair) + 1)
        ]
        starts, ends = np.array(spans, dtype=np.int64).reshape(-1, 2).T
        return cls(
            later=later,
            boundary=boundary,
            cluster=log.cluster[later],
            window=window,
            starts=starts,
            ends=ends,
        )


def goal_measures(items: GoalItems, said: Bools, resamples: ClusterResamples) -> dict[str, Floats]:
    """Precision, recall and F1 of boundaries, and WindowDiff.

    Args:
        items: pairs of turns.
        said: (pairs,) whether a system says that a goal starts.
        resamples: of the clusters.
    """
    columns = np.stack([said & items.boundary, items.boundary, said], axis=1).astype(np.float64)
    both, gold, named = resamples.sums(items.cluster, columns).T
    differ = _within(items, said) != _within(items, items.boundary)
    windows = np.stack([np.ones(len(differ)), differ.astype(np.float64)], axis=1)
    count, wrong = resamples.sums(items.cluster[items.starts], windows).T
    return {**agreement(both, gold, named), "window_diff": share(wrong, count)}


def _within(items: GoalItems, boundary: Bools) -> Ints:
    """Boundaries in each window."""
    before = np.append(0, boundary.cumsum())
    return np.asarray(before[items.ends] - before[items.starts], dtype=np.int64)


def says_goals(labels: Sequence[TurnLabel]) -> bool:
    """Whether labels speak of goals: those that tell how sure they are of others alone were not taught them.

    Labels without any confidence, of other makes, do.
    """
    sure_of = {name for label in labels for name in label.confidence}
    return not sure_of or "goal_start" in sure_of


def labelled_boundaries(items: GoalItems, labels: Sequence[TurnLabel]) -> Bools:
    """Where labels, parallel to the turns of the log, say that a goal starts: (pairs,)."""
    return np.array(
        [labels[turn].goal_id != labels[turn - 1].goal_id for turn in items.later.tolist()], dtype=np.bool_
    )


def goal_baselines(log: LabelLog, items: GoalItems) -> dict[str, Bools]:
    """Boundaries by rules: (pairs,) each.

    A new goal at each gap or dialogue; with each turn; and at each gap, or where the previous turn did not
    visibly fail and has other words.
    """
    gap = log.session[items.later] != log.session[items.later - 1]
    goes_on = np.zeros(len(log.turns), dtype=np.bool_)
    for session in log.sessions():
        outcomes = judge_turns([log.turns[turn] for turn in session])
        goes_on[session] = [outcome.goes_on == 1 for outcome in outcomes]
    return {
        "gaps alone": gap,
        "every turn": np.ones(len(items.later), dtype=np.bool_),
        "signal rule": gap | ~goes_on[items.later - 1],
    }
