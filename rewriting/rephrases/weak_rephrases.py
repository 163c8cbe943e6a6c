"""Weak rephrases: links made without annotation, from what a log shows by itself.

Whether a request is the next try of another is a hidden class, which the views of the pair (`PairViews`) tell
something of, each in its own way: alike words, alike meaning, little time, a visible failure, little
confidence. How much each value tells is estimated by expectation maximisation, as in latent class analysis
(Dawid and Skene, 1979): the views that agree teach how far to trust the others. It starts from alike words.

Two stages: neighbouring requests teach the views; requests farther apart then teach only how rare it is that
a user comes back to something after a detour.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.turns.weak_views import WeakViews, sigmoid
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.turn_pair import PairViews, candidate_pairs, pair_views
from streams.turn import TurnEvent

MIN_PAIRS = 200
"""Neighbouring requests from which the views are learned: of fewer, chance teaches as much as the users."""

MOST_PAIRS = 200_000
"""Neighbouring requests that are looked at: more change no estimate by a thousandth, and take minutes."""

VIEW_WEIGHTS: Mapping[str, float] = {"words": 0.75, "understanding": 0.75}
"""Alike words are mostly understood alike, so these two count less than two views that know nothing of each
other. At 1 each, they outvote the others together; at 0.5, other regularities of a log may be found instead
of second tries."""

ALIKE_WORDS = 6
"""Tenths of the token set ratio from which a pair is taken for a rephrase at the start."""

_SURE_AT_START = 0.9
_ROUNDS = 200
_DETOUR_ROUNDS = 50  # each goes through all pairs one by one
_TOLERANCE = 1e-4  # of a probability: below it nothing changes any more
_LEAST_SCORE = 0.001  # links below are not worth keeping


class WeakRephrases:
    """How much each value of each view tells, for the logs of one assistant; itself a detector."""

    def __init__(self, estimates: "ViewEstimates", settings: RephraseSettings) -> None:
        self.estimates = estimates
        self._settings = settings

    @classmethod
    def fit(cls, sessions: Sequence[Sequence[TurnEvent]], settings: RephraseSettings) -> "WeakRephrases":
        """Learns from sessions alone; the same sessions give the same estimates.

        Raises:
            RephraseTrainingError: there are too few, or they show no second tries.
        """
        pairs = _Pairs.of(_spread(sessions), settings)
        near = pairs.distances == 1
        if near.sum() < MIN_PAIRS:
            raise RephraseTrainingError(
                f"{near.sum()} requests follow another one within {settings.window_s:g} s in the same "
                f"session: {MIN_PAIRS} are needed to learn how users rephrase"
            )
        estimates = _estimate_views([pairs.views[i] for i in np.flatnonzero(near)])
        return cls(_estimate_detours(estimates, pairs), settings)

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """The links of each session with their probability."""
        pairs = _Pairs.of(sessions, self._settings)
        scores, _ = _nearest_first(pairs, sigmoid(self.estimates.log_odds(pairs)))
        found: list[list[RephraseLink]] = [[] for _ in sessions]
        for (session, source, target), score in zip(pairs.positions, scores.tolist(), strict=True):
            if score >= _LEAST_SCORE:
                found[session].append(RephraseLink(source, target, score))
        return found


class ViewEstimates(Struct, frozen=True):
    """What was learned."""

    prior: float  # log odds that a request is the next try of the one before
    views: dict[str, dict[Hashable, float]]  # by view and value: log likelihood ratio, already weighted
    detours: dict[int, float]  # the prior by distance, 2 and more

    def log_odds(self, pairs: "_Pairs") -> NDArray[np.float64]:
        """Of each pair, as if there were no other: (pairs,)."""
        evidence = np.array([self.evidence(views) for views in pairs.views], dtype=np.float64)
        priors = [
            self.prior if distance == 1 else self.detours.get(distance, -math.inf)
            for distance in pairs.distances.tolist()
        ]
        return evidence + np.array(priors, dtype=np.float64)

    def evidence(self, views: PairViews) -> float:
        """Sum of the log likelihood ratios; values that were never seen tell nothing."""
        return sum(
            self.views[name].get(value, 0.0) for name, value in zip(PairViews._fields, views, strict=True)
        )


class _Pairs(Struct, frozen=True):
    positions: list[tuple[int, int, int]]  # session, source, target; sorted by session
    views: list[PairViews]
    distances: NDArray[np.int64]  # (pairs,) turns between source and target, 1 for neighbours

    @classmethod
    def of(cls, sessions: Iterable[Sequence[TurnEvent]], settings: RephraseSettings) -> "_Pairs":
        positions, views = [], []
        for number, turns in enumerate(sessions):
            for source, target in candidate_pairs(turns, settings.window_turns, settings.window_s):
                positions.append((number, source, target))
                views.append(pair_views(turns[source], turns[target]))
        distances = np.array([target - source for _, source, target in positions], dtype=np.int64)
        return cls(positions, views, distances)


def _estimate_views(pairs: Sequence[PairViews]) -> ViewEstimates:
    """Expectation maximisation over neighbouring requests."""
    seen = WeakViews[Hashable].of(PairViews._fields, pairs)
    alike = np.array([views.words >= ALIKE_WORDS for views in pairs])
    if alike.all() or not alike.any():
        raise RephraseTrainingError(
            "the log shows no second tries: "
            + ("all" if alike.all() else "none")
            + " of its neighbouring requests are alike in words"
        )
    rephrased = np.where(alike, _SURE_AT_START, 1 - _SURE_AT_START)  # (pairs,)
    for _ in range(_ROUNDS):
        tables = {name: VIEW_WEIGHTS.get(name, 1.0) * table for name, table in seen.ratios(rephrased).items()}
        prior = _log_odds(rephrased.sum(), len(rephrased) - rephrased.sum())
        before = rephrased
        rephrased = sigmoid(prior + seen.told(tables))
        if np.abs(rephrased - before).max() < _TOLERANCE:
            break
    if rephrased[alike].mean() <= rephrased[~alike].mean():
        raise RephraseTrainingError(
            "the log shows no second tries: requests with alike words behave like all others"
        )
    return ViewEstimates(prior=prior, views=seen.by_value(tables), detours={})


def _estimate_detours(estimates: ViewEstimates, pairs: _Pairs) -> ViewEstimates:
    """Expectation maximisation over the priors of requests farther apart; the views stay as they are."""
    distances = sorted(set(pairs.distances[pairs.distances > 1].tolist()))
    detours = {distance: estimates.prior - 3.0 for distance in distances}
    evidence = np.array([estimates.evidence(views) for views in pairs.views])
    for _ in range(_DETOUR_ROUNDS):
        priors = np.array([detours.get(distance, estimates.prior) for distance in pairs.distances.tolist()])
        scores, left = _nearest_first(pairs, sigmoid(evidence + priors))
        before = detours
        detours = {}
        for distance in distances:
            here = pairs.distances == distance
            linked = float(scores[here].sum())
            detours[distance] = _log_odds(linked, float(left[here].sum()) - linked)
        if all(abs(detours[distance] - before[distance]) < _TOLERANCE * 10 for distance in distances):
            break
    return ViewEstimates(estimates.prior, estimates.views, detours)


def _nearest_first(
    pairs: _Pairs, alone: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities under which a request has one next try at most, and is the next try of one.

    A pair is linked if it would be by itself, and no pair between nearer requests has taken either.

    Args:
        pairs: of whole sessions.
        alone: (pairs,) probability of each by itself.

    Returns:
        (pairs,) of a link, and (pairs,) that both requests were still free.
    """
    linked = np.zeros(len(alone))
    free = np.ones(len(alone))
    free_sources: dict[tuple[int, int], float] = {}
    free_targets: dict[tuple[int, int], float] = {}
    for i in np.argsort(pairs.distances, kind="stable").tolist():
        session, source, target = pairs.positions[i]
        open_source = free_sources.get((session, source), 1.0)
        open_target = free_targets.get((session, target), 1.0)
        free[i] = open_source * open_target
        linked[i] = free[i] * alone[i]
        free_sources[session, source] = open_source * (1 - alone[i])
        free_targets[session, target] = open_target * (1 - alone[i])
    return linked, free


def _spread(sessions: Sequence[Sequence[TurnEvent]]) -> list[Sequence[TurnEvent]]:
    """Sessions of two turns and more, evenly thinned out where there are too many."""
    longer = [turns for turns in sessions if len(turns) > 1]
    n_pairs = sum(len(turns) - 1 for turns in longer)
    return longer[:: math.ceil(n_pairs / MOST_PAIRS)] if n_pairs > MOST_PAIRS else longer


def _log_odds(yes: float, no: float) -> float:
    return math.log((yes + 1) / (max(no, 0.0) + 1))
