"""Turns with a defect: what is true, what labels say, and what signals say of them and of missed goals."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from labeling.text.outcome import judge_turns
from services.evaluation.common.arrays import Bools, Ints
from services.evaluation.labels.binary import BinaryAnswers, BinaryItems
from services.evaluation.labels.log import LabelLog
from streams.turn import TurnEvent

HALF = 0.5  # a probability from which something is said to be so


class TurnItems(Struct, frozen=True):
    """Turns of which something is to be decided."""

    turn: Ints  # (items,) number in the log
    items: BinaryItems


def defect_items(log: LabelLog) -> TurnItems:
    """The turns whose correctness is known; true: the user did not get what was asked for."""
    turn = np.array([number for number, line in enumerate(log.gold) if line.correct is not None], np.int64)
    truth = np.array([not log.gold[number].correct for number in turn], dtype=np.float64)
    return TurnItems(turn, BinaryItems(truth, log.cluster[turn]))


def silent_defect_items(log: LabelLog) -> TurnItems:
    """Those of them whose own signals say nothing: no bad status, barge-in, end or feedback."""
    every = defect_items(log)
    reasons = [judge_turns([log.turns[number]])[0].reason for number in every.turn]
    silent = np.array([reason == "accepted" for reason in reasons], dtype=np.bool_)
    return TurnItems(every.turn[silent], BinaryItems(every.items.truth[silent], every.items.cluster[silent]))


def defect_answers(items: TurnItems, labels: Sequence[TurnLabel]) -> tuple[BinaryAnswers, Bools]:
    """What labels, parallel to the log's turns, say; and of which items they say anything, (items,)."""
    return probability_answers([labels[turn].defect for turn in items.turn])


def probability_answers(probabilities: Sequence[float | None]) -> tuple[BinaryAnswers, Bools]:
    """Answers by probabilities, and which there are; one that is missing counts as 0: it is not said."""
    score = np.array([value or 0.0 for value in probabilities], dtype=np.float64)
    there = np.array([value is not None for value in probabilities], dtype=np.bool_)
    return BinaryAnswers(score, score >= HALF), there


def signal_baselines(log: LabelLog, items: TurnItems) -> dict[str, BinaryAnswers]:
    """What can be said without a model.

    Signals: what is not seen to be met in its session (`judge_turns`), 1 with a sign of failure, 1/2 where
    signals speak for either side. Own signals: the same of each turn alone. Confidence: 1 - the recogniser's
    times the NLU's, where the log has any. Prevalence: the same for all.
    """
    unmet = np.zeros(len(log.turns))
    for session in log.sessions():
        unmet[session] = _unmet([log.turns[number] for number in session])
    alone = np.array([_unmet([turn])[0] for turn in log.turns], dtype=np.float64)
    # Where signals speak for either side, nothing is decided.
    baselines = {
        "signals": BinaryAnswers(unmet[items.turn], unmet[items.turn] > HALF),
        "own signals": BinaryAnswers(alone[items.turn], alone[items.turn] > HALF),
    }
    confidences = [_confidence(log.turns[turn]) for turn in items.turn]
    if any(value is not None for value in confidences):
        doubt = np.array([0.0 if value is None else 1 - value for value in confidences])
        baselines["1 - confidence"] = BinaryAnswers(doubt, doubt >= HALF)
    return baselines | {"prevalence": prevalence_baseline(items.items)}


def prevalence_baseline(items: BinaryItems) -> BinaryAnswers:
    """The share of what is true as the score of every item: the majority class is decided for."""
    prevalence = float(items.truth.mean()) if len(items.truth) else 0.0
    score = np.full(len(items.truth), prevalence)
    return BinaryAnswers(score, score > HALF)


def _unmet(turns: Sequence[TurnEvent]) -> list[float]:
    return [1 - outcome.success for outcome in judge_turns(turns)]


def _confidence(turn: TurnEvent) -> float | None:
    recogniser = turn.request.asr[0].confidence if turn.request.asr else None
    understanding = turn.nlu[0].confidence if turn.nlu else None
    factors = [value for value in (recogniser, understanding) if value is not None]
    return min(max(float(np.prod(factors)), 0.0), 1.0) if factors else None
