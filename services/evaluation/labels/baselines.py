"""Baselines that learn from annotations: bags of words, without the dialogue around a turn."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from services.evaluation.common.arrays import Bools, Floats
from services.evaluation.common.score_thresholds import best_f1
from services.evaluation.labels.binary import BinaryAnswers
from services.evaluation.labels.classes import ClassAnswers, ClassItems
from services.evaluation.labels.log import LabelLog
from services.evaluation.labels.satisfaction import Rated, RatedItems
from streams.turn import TurnEvent

BAG_OF_WORDS = "bag of words"

FOLDS = 5  # of the training part, by users, to choose the threshold

LAST_TURNS = 3
"""Of a dialogue are read: how it ended says most of how content people were with it."""

MOST_TURNS = 30_000
"""To train on, drawn at random: more take minutes with fifty intents, and change the accuracy little."""

_FEATURES = 50_000  # words and pairs of words, the most frequent
_INVERSE_PENALTY = 10.0  # weak: features are many, but each row has few of them
_STEPS = 1_000  # at most; some hundred are needed


def dissatisfaction_baseline(
    train: LabelLog, log: LabelLog, items: RatedItems, rated: Rated, seed: int
) -> BinaryAnswers | None:
    """Whether most raters are dissatisfied, from the words of a turn, or of the last ones of a dialogue.

    It is decided for from the threshold on that gives the best F1 on parts of the training log which were not
    learned from.

    Args:
        train: the training log with its annotations.
        log: the test log.
        items: of the test log.
        rated: turns or dialogues.
        seed: of the draw of turns, and of the parts.

    Returns:
        None where the annotations do not know both kinds.
    """
    learned = RatedItems.of(train, rated)
    chosen = drawn_items(len(learned.turn), seed)
    turns = 1 if rated == "turn" else LAST_TURNS
    words = [_last_words(train, number, turns) for number in learned.turn[chosen].tolist()]
    truth = learned.of_all.truth[chosen].astype(np.bool_)
    if truth.all() or not truth.any():
        return None
    held_out = _held_out(words, truth, train.user[learned.turn[chosen]], seed)
    threshold, _ = best_f1(held_out, truth, float(truth.sum()))
    score = _fitted(words, truth).predict_proba([_last_words(log, n, turns) for n in items.turn.tolist()])[
        :, 1
    ]
    return BinaryAnswers(score, score >= threshold)


def class_baseline(train: LabelLog, log: LabelLog, items: ClassItems, seed: int) -> ClassAnswers | None:
    """The likeliest class by the words of the turn; None where the annotations know under two classes."""
    learned = ClassItems.of(train, items.label)
    classes = sorted(set(learned.truth))
    if len(classes) < 2 or not len(items.turn):
        return None
    chosen = drawn_items(len(learned.turn), seed)
    words = [_last_words(train, number, 1) for number in learned.turn[chosen].tolist()]
    truth = np.array([classes.index(learned.truth[item]) for item in chosen])
    fitted = _fitted(words, truth)
    said = fitted.predict([_last_words(log, number, 1) for number in items.turn.tolist()])
    return ClassAnswers([classes[number] for number in said], np.zeros(len(said), dtype=np.bool_))


def drawn_items(items: int, seed: int) -> NDArray[np.int64]:
    """The numbers of the items to learn from, rising."""
    if items <= MOST_TURNS:
        return np.arange(items)
    return np.sort(np.random.default_rng(seed).choice(items, MOST_TURNS, replace=False))


def _held_out(words: Sequence[Sequence[str]], truth: Bools, user: NDArray[np.int64], seed: int) -> Floats:
    """The probability of each item by a model that has not seen its user."""
    score = np.full(len(words), float(truth.mean()))
    folds = min(FOLDS, len(np.unique(user)), int(truth.sum()), int((~truth).sum()))
    if folds < 2:
        return score
    parts = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for kept, left in parts.split(np.zeros(len(words)), truth, user):
        if truth[kept].any() and not truth[kept].all():
            fitted = _fitted([words[item] for item in kept], truth[kept])
            score[left] = fitted.predict_proba([words[item] for item in left])[:, 1]
    return score


def _fitted(words: Sequence[Sequence[str]], truth: NDArray[np.generic]) -> Pipeline:
    model = make_pipeline(
        TfidfVectorizer(analyzer=_grams, max_features=_FEATURES, sublinear_tf=True),
        LogisticRegression(C=_INVERSE_PENALTY, max_iter=_STEPS, tol=1e-3),
    )
    return model.fit(words, truth)


def _last_words(log: LabelLog, turn: int, turns: int) -> list[str]:
    """The words of a turn and of those before it in its dialogue, each marked with who said it."""
    numbers = [
        number
        for number in range(max(0, turn - turns + 1), turn + 1)
        if log.stretch[number] == log.stretch[turn]
    ]
    return [word for number in numbers for word in _words(log.turns[number])]


def _words(turn: TurnEvent) -> Iterator[str]:
    yield "<request>"  # so that every turn has a word
    yield from (f"user:{word}" for word in turn.request.text.lower().split())
    answer = turn.response.text if turn.response is not None else None
    yield from (f"answer:{word}" for word in (answer or "").lower().split())


def _grams(words: Sequence[str]) -> list[str]:
    """Words, and pairs of words that follow each other."""
    return [*words, *(f"{one} {two}" for one, two in pairwise(words))]
