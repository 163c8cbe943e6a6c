"""How far annotators agree on failure points, and what they say together."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from failure_isolation.rule import FAILURE_POINTS
from labeling.annotations.annotation import FailurePoint
from services.annotating.sheet import SheetLine
from streams.turn import EventId

Votes = Mapping[EventId, Mapping[str, FailurePoint]]
"""What each annotator says of an event."""


class PairAgreement(Struct, frozen=True, kw_only=True):
    """Two annotators on the turns that both have annotated."""

    first: str
    second: str
    turns: int
    raw: float  # share of the turns on which they agree, 0..1
    kappa: float | None  # Cohen's, -1..1; None: both say one class alone, or it was not computed


class ClassAgreement(Struct, frozen=True, kw_only=True):
    """Agreement on one class."""

    failure_point: FailurePoint
    named: int  # times that anybody says it, of turns with several annotators
    specific: float | None  # given that one of two says it, the share in which the other does, 0..1


class Agreement(Struct, frozen=True, kw_only=True):
    """How far annotators agree."""

    annotators: tuple[str, ...]
    turns: int  # that anybody has annotated
    shared_turns: int  # that several have
    decided_turns: int  # of which one class has more votes than any other
    undecided: tuple[EventId, ...]
    raw: float | None  # share of the pairs of votes on a turn that agree; None: no turn has several
    alpha: float | None  # Krippendorff's, nominal, up to 1; None: as above, or all say one class alone
    pairs: tuple[PairAgreement, ...]
    classes: tuple[ClassAgreement, ...]  # that anybody says, in the order of the stages


def votes_of(lines: Iterable[SheetLine]) -> dict[EventId, dict[str, FailurePoint]]:
    """What each annotator says, by event, in the order of the lines."""
    votes: dict[EventId, dict[str, FailurePoint]] = {}
    for line in lines:
        votes.setdefault(line.event_id, {})[line.annotator] = line.failure_point
    return votes


def majority(votes: Votes) -> dict[EventId, FailurePoint]:
    """The class of each event that has more votes than any other; events with a tie are left out."""
    found = {}
    for event, said in votes.items():
        (first, count), *others = Counter(said.values()).most_common()
        if not others or others[0][1] < count:
            found[event] = first
    return found


def agreement_of(votes: Votes) -> Agreement:
    """How far annotators agree.

    Krippendorff's alpha is 1 - observed / expected disagreement over all pairs of votes on a turn, those of
    each turn weighted by 1 / (its votes - 1): it allows for turns that only some have annotated.
    """
    names = sorted({name for said in votes.values() for name in said})
    counts = np.array(
        [[list(said.values()).count(point) for point in FAILURE_POINTS] for said in votes.values()],
        dtype=np.float64,
    ).reshape(-1, len(FAILURE_POINTS))  # (turns, classes)
    shared = counts[counts.sum(axis=1) > 1]
    decided = majority(votes)
    same, pairs = (shared * (shared - 1)).sum(axis=0), shared * (shared.sum(axis=1, keepdims=True) - 1)
    said = shared.sum(axis=0)
    return Agreement(
        annotators=tuple(names),
        turns=len(votes),
        shared_turns=len(shared),
        decided_turns=len(decided),
        undecided=tuple(event for event in votes if event not in decided),
        raw=float(same.sum() / pairs.sum()) if len(shared) else None,
        alpha=_alpha(shared),
        pairs=tuple(
            pair
            for first, second in combinations(names, 2)
            if (pair := _pair(votes, first, second)) is not None
        ),
        classes=tuple(
            ClassAgreement(
                failure_point=point,
                named=int(said[number]),
                specific=float(same[number] / pairs[:, number].sum()) if said[number] else None,
            )
            for number, point in enumerate(FAILURE_POINTS)
            if said[number]
        ),
    )


def _alpha(counts: NDArray[np.float64]) -> float | None:
    """Of votes on turns that have several: (turns, classes)."""
    total = counts.sum()
    if not total:
        return None
    of_turn = counts.sum(axis=1)
    # Of each turn, the pairs of votes that differ, in both orders.
    observed = ((of_turn**2 - (counts**2).sum(axis=1)) / (of_turn - 1)).sum() / total
    of_class = counts.sum(axis=0)
    expected = (total**2 - (of_class**2).sum()) / (total * (total - 1))
    return None if expected == 0 else float(1 - observed / expected)


def _pair(votes: Votes, first: str, second: str) -> PairAgreement | None:
    both = [(said[first], said[second]) for said in votes.values() if first in said and second in said]
    if not both:
        return None
    return PairAgreement(
        first=first,
        second=second,
        turns=len(both),
        raw=sum(one == other for one, other in both) / len(both),
        kappa=_kappa(both),
    )


def _kappa(both: Sequence[tuple[FailurePoint, FailurePoint]]) -> float | None:
    if len({point for pair in both for point in pair}) < 2:
        return None  # chance would agree as well
    try:
        from sklearn.metrics import cohen_kappa_score  # of the extra `train`, which annotating can do without
    except ModuleNotFoundError:
        return None
    return float(cohen_kappa_score([one for one, _ in both], [other for _, other in both]))
