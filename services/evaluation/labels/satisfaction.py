"""Dissatisfaction of turns and dialogues, beside one rater who is held against the others.

An item is dissatisfying to raters if most of them, strictly, give it less than 3. Held against all raters, a
rater would agree with themselves. So each rater in turn is left out, the others are the truth, and the one
who was left out is scored by it, as are all systems: the same truths, each with the weight of 1 / raters. Of
a system that says the same whoever is left out, this is scoring by the share of the raters for whom the
others are dissatisfied.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.resamples import ClusterResamples
from services.evaluation.labels.binary import BinaryAnswers, BinaryItems, decision_measures
from services.evaluation.labels.defects import HALF
from services.evaluation.labels.log import LabelLog

DISSATISFIED_BELOW = 3
"""Of ratings from 1 to 5: 3 is the middle, of which nobody complains."""

Rated = Literal["turn", "dialogue"]


class RatedItems(Struct, frozen=True, kw_only=True):
    """Turns, or last turns of dialogues, that were rated."""

    turn: Ints  # (items,) number in the log
    items: BinaryItems  # truth: the share of the raters without whom most others are dissatisfied
    of_all: BinaryItems  # truth: most raters are
    votes: BinaryItems | None  # truth: of the other raters, for each rating; None: there is one rater alone
    vote_weight: Floats  # (votes,) 1 / raters of the item
    vote: Bools  # (votes,) the one left out is dissatisfied
    left_out: int  # items of one rater, where others have several

    @classmethod
    def of(cls, log: LabelLog, rated: Rated) -> "RatedItems":
        """What is rated in a log."""
        ratings = [line.ratings if rated == "turn" else line.dialogue_ratings for line in log.gold]
        several = any(given is not None and len(given) > 1 for given in ratings)
        turn = [
            number
            for number, given in enumerate(ratings)
            if given is not None and (len(given) > 1 or not several)
        ]
        truth: list[float] = []
        of_all: list[bool] = []
        votes: list[tuple[int, bool, bool, float]] = []  # turn, vote, truth, weight
        for number in turn:
            low = [given < DISSATISFIED_BELOW for given in ratings[number] or ()]
            most = sum(low) * 2 > len(low)
            of_all.append(most)
            if len(low) == 1:
                truth.append(float(most))
                continue
            others = [(sum(low) - one) * 2 > len(low) - 1 for one in low]
            truth.append(sum(others) / len(low))
            votes += [(number, vote, other, 1 / len(low)) for vote, other in zip(low, others, strict=True)]
        numbers = np.array(turn, dtype=np.int64)
        cluster = log.cluster[numbers]
        of_vote, by_one, by_others, weight = np.array(votes, dtype=np.float64).reshape(-1, 4).T
        return cls(
            turn=numbers,
            items=BinaryItems(np.array(truth), cluster),
            of_all=BinaryItems(np.array(of_all, dtype=np.float64), cluster),
            votes=BinaryItems(by_others, log.cluster[of_vote.astype(np.int64)]) if votes else None,
            vote_weight=weight,
            vote=by_one.astype(np.bool_),
            left_out=sum(given is not None for given in ratings) - len(turn),
        )

    def rater_measures(self, resamples: ClusterResamples) -> dict[str, Floats] | None:
        """Accuracy, precision, recall and F1 of one rater against the others; None without others."""
        if self.votes is None:
            return None
        return decision_measures(self.votes, self.vote, resamples, self.vote_weight)


def satisfaction_answers(
    items: RatedItems, labels: Sequence[TurnLabel], rated: Rated
) -> tuple[BinaryAnswers, Bools]:
    """What labels, parallel to the log's turns, say; and of which items they say anything, (items,).

    The decision is that of the rating, and by the probability where there is no rating; the score is the
    probability, and made of the rating where there is none.
    """
    score, decided, there = [], [], []
    for number in items.turn:
        label = labels[number]
        if rated == "turn":
            rating, probability = label.satisfaction, label.dissatisfaction
        else:
            rating, probability = label.dialogue_satisfaction, label.dialogue_dissatisfaction
        there.append(rating is not None or probability is not None)
        if probability is None:
            probability = 0.0 if rating is None else (5 - rating) / 4
        score.append(probability)
        decided.append(probability >= HALF if rating is None else rating < DISSATISFIED_BELOW)
    answers = BinaryAnswers(np.array(score, dtype=np.float64), np.array(decided, dtype=np.bool_))
    return answers, np.array(there, dtype=np.bool_)
