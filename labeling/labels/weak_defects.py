"""Weak defects: what a log shows of requests that were not met, without annotation.

A defect is *visible* where the assistant reports an error, or the user interrupts, complains or tries again.
Users also give up in silence, so a model that has learned visible defects from the words (with the signals
hidden) says too little everywhere. How much each signal tells, and which share of the defects is silent, is
then estimated by expectation maximisation with the model as prior (as Dawid and Skene, 1979, for annotators;
the share as in learning from positive and unlabelled examples, Elkan and Noto, 2008). Words and signals are
joined by Bayes' rule, and neither has seen the other.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.turns.dialogue_part import Part
from labeling.turns.weak_views import WeakViews, sigmoid
from streams.turn import TurnEvent

MADE_OF: Final[frozenset[Part]] = frozenset({"signals", "status", "responses", "following"})
"""What a visible defect is seen by: hidden from the model that learns them."""

SIGNALS: Final = "signals"
CONTINUES: Final = "continues"
"""The views."""

_CONTINUES_ENDS: Final = (0.1, 0.3, 0.5, 0.7, 0.9)  # of buckets of a probability
_ROUNDS = 100
_TOLERANCE = 1e-4  # of a probability: below it nothing changes any more
_MOST_SILENT = 0.6  # share of the defects: beyond it, what is estimated is mostly the prior
_FARTHEST = 4.0  # log odds: no words are surer


class DefectEvidence(Struct, frozen=True, forbid_unknown_fields=True):
    """How much each value of each view speaks for a defect."""

    views: dict[str, dict[str, float]]  # by view and value: log likelihood ratio
    silent: float  # share of the defects that show no sign, 0..1

    def log_odds(self, visible: float, observed: Mapping[str, str]) -> float:
        """Of a defect.

        Args:
            visible: log odds of a visible defect that a model gives without these views.
            observed: value of each view; one that was never seen tells nothing.
        """
        told = sum(self.views[name].get(value, 0.0) for name, value in observed.items())
        return float(_with_silent(np.array(visible), self.silent)) + told


def visible_defect(turn: TurnEvent, continues: float | None) -> float:
    """Probability that a turn visibly failed, 0..1.

    Args:
        turn: the turn.
        continues: probability that the next turn goes on with the same goal; None: no turn follows.
    """
    if turn.signals.feedback == "positive":
        return 0.0
    interrupted = bool(turn.signals.barge_in) and not turn.signals.terminated
    status = turn.response.status if turn.response else None
    if turn.signals.feedback == "negative" or status in ("error", "no_result") or interrupted:
        return 1.0
    return continues or 0.0


def defect_views(turn: TurnEvent, continues: float | None, *, is_last: bool) -> dict[str, str]:
    """What can be seen of a turn.

    Args:
        turn: the turn.
        continues: probability that the next turn goes on with the same goal; None: not known.
        is_last: whether no turn follows.
    """
    status = (turn.response.status if turn.response else None) or "none"
    signals: list[str] = [status]
    if turn.signals.barge_in:
        signals.append("interrupted")
    if turn.signals.terminated:
        signals.append("ended")
    if turn.signals.feedback:
        signals.append(turn.signals.feedback)
    if is_last:
        goes_on = "last"
    elif continues is None:
        goes_on = "unknown"
    else:
        goes_on = str(int(np.searchsorted(_CONTINUES_ENDS, continues, side="right")))
    return {SIGNALS: " ".join(signals), CONTINUES: goes_on}


def estimate_evidence(
    views: Sequence[Mapping[str, str]],
    visible: NDArray[np.float64],
    predicted: NDArray[np.float64],
    known: NDArray[np.float64] | None = None,
) -> tuple[DefectEvidence, NDArray[np.float64]]:
    """Learns how much the signals tell.

    Args:
        views: of each turn, all with the same names; one turn at least.
        visible: (turns,) probability that each visibly failed.
        predicted: (turns,) log odds of that by a model which has not seen the views.
        known: (turns,) 1 for a defect and 0 for none where somebody has said it, NaN elsewhere.

    Returns:
        What was learned, and (turns,) the probability of a defect.
    """
    names = sorted(views[0])
    seen = WeakViews.of(names, [[view[name] for name in names] for view in views])
    said = np.full(len(visible), np.nan) if known is None else known
    silent = 0.0
    defects = np.maximum(visible, sigmoid(predicted))
    tables: dict[str, NDArray[np.float64]] = {}
    for _ in range(_ROUNDS):
        defects = np.where(np.isnan(said), defects, said)
        tables = seen.ratios(defects)
        shown = float((defects * visible).sum()) / max(float(defects.sum()), 1e-9)
        silent = min(max(1 - shown, 0.0), _MOST_SILENT)
        before = defects
        defects = sigmoid(_with_silent(predicted, silent) + seen.told(tables))
        if np.abs(defects - before).max() < _TOLERANCE:
            break
    evidence = DefectEvidence(seen.by_value(tables), silent)
    return evidence, np.where(np.isnan(said), defects, said)


def _with_silent(visible: NDArray[np.float64], silent: float) -> NDArray[np.float64]:
    """Log odds of any defect from those of a visible one: of both kinds, a request has its share."""
    share = np.clip(sigmoid(visible) / (1 - silent), 1e-6, 1 - 1e-6)
    log_odds: NDArray[np.float64] = np.clip(np.log(share) - np.log1p(-share), -_FARTHEST * 2, _FARTHEST)
    return log_odds
