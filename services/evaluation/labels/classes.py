"""Measures of a label that is one of several classes: domain and intent."""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.class_measures import abstention_measures, class_agreement
from services.evaluation.common.resamples import ClusterResamples, share
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.log import LabelLog

ClassName = tuple[str, ...]
"""A domain, an intent, or a domain and an intent where the intent means something only within it."""

ClassLabel = Literal["domain", "intent"]


class ClassItems(Struct, frozen=True, kw_only=True):
    """Turns whose class is known."""

    turn: Ints  # (items,) number in the log
    truth: Sequence[ClassName]
    cluster: Ints  # (items,)
    label: ClassLabel
    seen: Bools | None  # (items,) the class occurs in training; None: not told

    @classmethod
    def of(
        cls, log: LabelLog, label: ClassLabel, trained_on: Collection[ClassName | None] | None = None
    ) -> "ClassItems":
        """The turns of a log whose class is known, and whether it is one of the training's."""
        turn, truth = [], []
        for number, line in enumerate(log.gold):
            name = gold_class(line, label)
            if name is not None:
                turn.append(number)
                truth.append(name)
        numbers = np.array(turn, dtype=np.int64)
        seen = None if trained_on is None else np.array([name in trained_on for name in truth], np.bool_)
        return cls(turn=numbers, truth=truth, cluster=log.cluster[numbers], label=label, seen=seen)

    def named(self, log: LabelLog, domain: str | None, intent: str | None, item: int) -> ClassName | None:
        """What a system says of an item, in the form in which its truth is known."""
        if self.label == "domain":
            return None if domain is None else (domain,)
        if intent is None:
            return None
        if not log.gold[self.turn[item]].intent_within_domain:
            return (intent,)
        return (domain or "", intent)


def gold_class(line: GoldLabel, label: ClassLabel) -> ClassName | None:
    """The class of a turn; None: not known."""
    if label == "domain":
        return None if line.domain is None else (line.domain,)
    if line.intent is None:
        return None
    return (line.domain or "", line.intent) if line.intent_within_domain else (line.intent,)


class ClassAnswers(Struct, frozen=True):
    """What one system says of each item."""

    named: Sequence[ClassName | None]  # None: it says nothing, which is wrong
    abstained: Bools  # (items,) it is not sure enough of it


def class_answers(log: LabelLog, items: ClassItems, labels: Sequence[TurnLabel]) -> ClassAnswers:
    """What labels say that are parallel to the turns of the log."""
    said = [labels[turn] for turn in items.turn]
    named = [items.named(log, label.domain, label.intent, item) for item, label in enumerate(said)]
    silent = [name is None or items.label in label.abstained for name, label in zip(named, said, strict=True)]
    return ClassAnswers(named, np.array(silent, dtype=np.bool_))


def class_baselines(log: LabelLog, items: ClassItems) -> dict[str, ClassAnswers]:
    """The first hypothesis of the log's own NLU, where it has any, and the most frequent class."""
    baselines: dict[str, ClassAnswers] = {}
    first = [log.turns[turn].nlu[:1] for turn in items.turn]
    if any(first):
        named = [
            items.named(log, one[0].domain, one[0].intent, item) if one else None
            for item, one in enumerate(first)
        ]
        baselines["NLU of the log"] = _without_abstaining(named)
    if items.truth:
        most = min(Counter(items.truth).items(), key=lambda one: (-one[1], one[0]))[0]
        baselines["most frequent"] = _without_abstaining([most] * len(items.truth))
    return baselines


def _without_abstaining(named: Sequence[ClassName | None]) -> ClassAnswers:
    return ClassAnswers(named, np.array([name is None for name in named], dtype=np.bool_))


def class_measures(
    items: ClassItems, answers: ClassAnswers, resamples: ClusterResamples
) -> dict[str, Floats]:
    """Accuracy; macro F1 over the classes of the gold; accuracy of what is not abstained from, and its share.

    Where it is told which classes occur in training, also the accuracy on turns of these.
    """
    right = np.array([said == true for said, true in zip(answers.named, items.truth, strict=True)], float)
    measures = abstention_measures(right, answers.abstained, items.cluster, resamples)
    measures["macro_f1"] = _macro_f1(items, answers, resamples)
    if items.seen is not None:
        columns = np.stack([items.seen, items.seen * right], axis=1).astype(np.float64)
        seen, seen_hits = resamples.sums(items.cluster, columns).T
        measures["seen_accuracy"] = share(seen_hits, seen)
    return measures


def _macro_f1(items: ClassItems, answers: ClassAnswers, resamples: ClusterResamples) -> Floats:
    """The mean F1 of the classes that the gold of a draw has."""
    classes = {name: number for number, name in enumerate(sorted(set(items.truth)))}
    true = np.array([classes[name] for name in items.truth], dtype=np.int64)
    # Of what is no class of the gold, no class is named.
    said = np.array([-1 if name is None else classes.get(name, -1) for name in answers.named], dtype=np.int64)
    return class_agreement(true, said, len(classes), items.cluster, resamples).macro_f1
