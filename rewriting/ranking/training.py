"""Training of the ranker from logged outcomes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import lightgbm
import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import is_personal
from rewriting.ranking.examples import RankExample
from rewriting.ranking.features import Features, Group, met_near, users_behind
from rewriting.ranking.gates import CLOSED, HeldBack, RewriteGates, choose_gates
from rewriting.ranking.ranker import (
    Judgement,
    Ranker,
    RankerFacts,
    columns,
    defect_names,
    defect_row,
    groups_of,
    rank_names,
    rank_rows,
)
from rewriting.ranking.settings import RankerSettings
from rewriting.requests.silent_failures import SilentFailures, right_probability


class TrainedRanker(Struct, frozen=True):
    """A ranker and what was seen in its training."""

    ranker: Ranker
    examples: int
    trees: tuple[int, int]  # of the rank model, of the defect model


def train_ranker(
    examples: Sequence[RankExample],
    silent: SilentFailures,
    settings: RankerSettings,
    on_step: Callable[[str], None] = lambda step: None,
    guard: CandidateGuard | None = None,
) -> TrainedRanker | None:
    """Trains both models and sets the gates; None from too few examples.

    The held-back days stop the training and set the gates; the models do not learn from them, so the gates
    hold for the very models that serve.

    Args:
        examples: in the order of time.
        silent: how much goes wrong without a sign.
        settings: of the training.
        on_step: called with what is done next.
        guard: of what is decided for; by default one of default settings.
    """
    if len(examples) < settings.min_examples:
        return None
    held_back_ms = held_back_from_ms(examples, settings)
    early = [example for example in examples if example.ts_ms < held_back_ms]
    late = [example for example in examples if example.ts_ms >= held_back_ms]
    facts = RankerFacts(
        features=_names(rank_names(), settings.left_out),
        defect_features=_names(defect_names(), settings.left_out),
        left_out=settings.left_out,
        gates=CLOSED,
        silent=silent,
    )
    on_step("rank model")
    rank = _fit(_rank_data(early, facts), _rank_data(late, facts), settings)
    on_step("defect model")
    defect = _fit(_defect_data(early, facts), _defect_data(late, facts), settings)
    if rank is None or defect is None:
        return None
    on_step("gates")
    gates = ranker_gates(
        Ranker(rank.model, defect.model, facts), late, settings.win_loss, guard or CandidateGuard()
    )
    served = Ranker(rank.model, defect.model, msgspec.structs.replace(facts, gates=gates))
    return TrainedRanker(served, len(examples), (rank.trees, defect.trees))


class _Data(Struct, frozen=True):
    rows: Features
    labels: NDArray[np.bool_]
    weights: NDArray[np.float32]
    names: tuple[str, ...]


class _Fitted(Struct, frozen=True):
    model: lightgbm.Booster
    trees: int


def _names(names: Sequence[str], left_out: Sequence[Group]) -> tuple[str, ...]:
    groups = groups_of(names)
    return tuple(name for name in names if groups[name] not in left_out)


def _rank_data(examples: Sequence[RankExample], facts: RankerFacts) -> _Data:
    """A row for each candidate of the requests whose meaning is known."""
    place = columns(rank_names(), facts.features)
    known = [example for example in examples if example.meant is not None and example.candidates]
    empty = np.zeros((0, len(place)), dtype=np.float32)
    return _Data(
        rows=np.concatenate(
            [empty, *(rank_rows(one.request, one.features)[:, place] for one in known)], dtype=np.float32
        ),
        labels=np.array([c.interpretation == one.meant for one in known for c in one.candidates], dtype=bool),
        weights=np.array([one.weight for one in known for _ in one.candidates], dtype=np.float32),
        names=facts.features,
    )


def _defect_data(examples: Sequence[RankExample], facts: RankerFacts) -> _Data:
    """A row for each request: was it met as it is?"""
    place = columns(defect_names(), facts.defect_features)
    return _Data(
        rows=np.stack([defect_row(one.request, one.features)[place] for one in examples]),
        labels=np.array([one.own == one.meant for one in examples], dtype=bool),
        weights=np.array([one.weight for one in examples], dtype=np.float32),
        names=facts.defect_features,
    )


def _parameters(settings: RankerSettings) -> dict[str, Any]:
    return {
        "objective": "binary",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.min_leaf,
        "feature_fraction": 0.6,  # features go together, so each tree sees others of a kind
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "seed": settings.seed,
        "num_threads": settings.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }


def _fit(early: _Data, late: _Data, settings: RankerSettings) -> _Fitted | None:
    """Trains until the held-back days gain no more; None where one side has only one kind of label."""
    if any(len(set(data.labels.tolist())) < 2 for data in (early, late)):
        return None
    model = lightgbm.train(
        _parameters(settings),
        _dataset(early),
        settings.trees,
        valid_sets=[_dataset(late)],
        callbacks=[lightgbm.early_stopping(settings.patience, verbose=False)],
    )
    return _Fitted(model, model.best_iteration)


def _dataset(data: _Data) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        data.rows, data.labels, weight=data.weights, feature_name=list(data.names), free_raw_data=False
    )


def held_back_from_ms(examples: Sequence[RankExample], settings: RankerSettings) -> float:
    """When the held-back days begin, milliseconds since 1970; of at least one example."""
    times = sorted(example.ts_ms for example in examples)
    return times[min(int(len(times) * (1 - settings.held_back_share)), len(times) - 1)]


def held_back_days(
    judged: Sequence[Judgement],
    examples: Sequence[RankExample],
    silent: SilentFailures,
    guard: CandidateGuard,
) -> HeldBack:
    """What the sessions of the held-back days show of judgements.

    What the guard refuses passes no gate. How likely a request is right is told by how others in its words
    went, but not where only its user's own history speaks for another.

    Args:
        judged: in the order of the examples.
        examples: of the held-back days.
        silent: how much goes wrong without a sign.
        guard: of what is decided for.
    """
    served = [
        judgement.best is not None and not _is_refused(guard, one, judgement.best)
        for judgement, one in zip(judged, examples, strict=True)
    ]
    right = [
        math.nan
        if judgement.best is not None and is_personal(one.candidates[judgement.best])
        else right_probability(*met_near(one.request), silent)
        for judgement, one in zip(judged, examples, strict=True)
    ]
    mended = [
        judgement.best is not None and one.candidates[judgement.best].interpretation == one.meant
        for judgement, one in zip(judged, examples, strict=True)
    ]
    shown_right = np.array([one.own == one.meant for one in examples], dtype=bool)
    return HeldBack(
        defect=np.array([judgement.defect for judgement in judged]),
        win=np.array([judgement.win for judgement in judged]) * np.array(served, dtype=bool),
        shown_right=shown_right,
        shown_wrong=~shown_right,
        mended=np.array(mended, dtype=bool),
        right=np.array(right, dtype=np.float64),
    )


def _is_refused(guard: CandidateGuard, example: RankExample, best: int) -> bool:
    refusals = guard.refusals(
        example.text,
        example.own,
        example.locale,
        example.candidates[best],
        users_behind(example.features[best]),
    )
    return bool(refusals)


def ranker_gates(
    ranker: Ranker, late: Sequence[RankExample], win_loss: float, guard: CandidateGuard
) -> RewriteGates:
    """The gates of a ranker for a wanted win/loss, set on the examples of the held-back days."""
    judged = ranker.judge_all([one.request for one in late], [one.features for one in late])
    silent = ranker.facts.silent
    return choose_gates(held_back_days(judged, late, silent, guard), silent, win_loss)
