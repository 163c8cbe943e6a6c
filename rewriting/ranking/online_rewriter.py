"""The online rewriter: what a request should have been, worked out when it comes.

It answers what no table can: requests in words, or of users, that were never seen before. The stages are

    encode    the request's vector
    search    near successful requests in the global index
    gather    candidates, from the user's history, from second tries and from the index
    judge     the ranker and its two gates, and the guard of what they let pass

and each is left out, or the whole given up, where its part is missing or the time is over.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz

from rewriting.encoders.text_encoder import PairEncoder, RequestEncoder
from rewriting.evidence.interpretation import Interpretation
from rewriting.index.request_index import RequestIndex
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import (
    Candidate,
    NearRequest,
    Source,
    is_personal,
    rewrite_candidates,
)
from rewriting.ranking.features import candidate_features, request_features, users_behind
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import Judge, Judgement
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory
from rewriting.requests.statistics import StatisticsSource
from rewriting.table.abstain_reason import AbstainReason


class Stage(enum.StrEnum):
    """A part of the way to an answer, for its share of the time."""

    ENCODE = "encode"
    SEARCH = "search"
    GATHER = "gather"
    JUDGE = "judge"


class OnlineRewrite(Struct, frozen=True):
    """What the request should have been."""

    text: str
    interpretation: Interpretation
    personal: bool  # the user's own history is what speaks for it
    score: float  # probability that it wins, of all that it changes, 0..1
    source: Source


class OnlineAnswer(Struct, frozen=True):
    """A rewrite, or the reason why there is none; exactly one of the two."""

    rewrite: OnlineRewrite | None
    reason: AbstainReason | None
    judgement: Judgement | None = None
    refused: OnlineRewrite | None = (
        None  # what was decided for, where its reason is that the guard refuses it
    )
    seconds: dict[Stage, float] = {}  # how long each stage took


class OnlineRewriter:
    """The models of one assistant; never changes.

    Args:
        ranker: judges the candidates.
        encoder: of requests; None: the global index is not searched.
        pair_encoder: reads request and candidate together; None: not used.
        settings: of the answers.
        guard: of what is decided for; by default one of default settings.
        clock_s: monotonic seconds.
    """

    def __init__(
        self,
        ranker: Judge,
        encoder: RequestEncoder | None,
        pair_encoder: PairEncoder | None,
        settings: OnlineSettings,
        guard: CandidateGuard | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ranker = ranker
        self.encoder = encoder
        self.pair_encoder = pair_encoder
        self.settings = settings
        self._guard = guard or CandidateGuard()
        self._clock_s = clock_s

    def answer(
        self,
        request: AskedRequest,
        statistics: StatisticsSource,
        history: RequestHistory,
        index: RequestIndex | None,
        started_s: float | None = None,
    ) -> OnlineAnswer:
        """What a request should have been.

        Args:
            request: with a text that is not empty.
            statistics: of the assistant.
            history: of the user.
            index: of the assistant; None: there is none.
            started_s: when the time began to run, on the clock; None: now.
        """
        watch = _Watch(self._clock_s, started_s, self.settings.budget_ms)
        near: list[NearRequest] = []
        if self.encoder is not None and index is not None and self.settings.candidates.uses_index:
            with watch.stage(Stage.ENCODE):
                vector = self.encoder.encode([request.text])[0]
            if watch.is_over:
                return watch.out_of_time()
            with watch.stage(Stage.SEARCH):
                near = near_requests(index, vector, self.settings.candidates.similar)
        with watch.stage(Stage.GATHER):
            candidates = rewrite_candidates(request, statistics, history, near, self.settings.candidates)
        if not candidates:
            return OnlineAnswer(None, AbstainReason.NO_CANDIDATE, seconds=watch.seconds)
        if watch.is_over:
            return watch.out_of_time()
        with watch.stage(Stage.JUDGE):
            scores = pair_scores(self.pair_encoder, request.text, candidates, self.settings.pairs)
            features = candidate_features(request, candidates, statistics, history, scores)
            judgement = self.ranker.judge(request_features(request, statistics, history), features)
        if watch.is_over:
            return watch.out_of_time()
        gates = self.ranker.gates
        if not gates.pass_defect(judgement.defect):
            return OnlineAnswer(None, AbstainReason.SEEMS_RIGHT, judgement, seconds=watch.seconds)
        if judgement.best is None or not gates.pass_win(judgement.win):
            return OnlineAnswer(None, AbstainReason.NOT_SURE, judgement, seconds=watch.seconds)
        best = candidates[judgement.best]
        rewrite = OnlineRewrite(best.text, best.interpretation, is_personal(best), judgement.win, best.source)
        if self._guard.refusals(
            request.text, request.interpretation, request.locale, best, users_behind(features[judgement.best])
        ):
            return OnlineAnswer(None, AbstainReason.GUARDED, judgement, rewrite, watch.seconds)
        return OnlineAnswer(rewrite, None, judgement, None, watch.seconds)


def near_requests(index: RequestIndex, vector: NDArray[np.float32], k: int) -> list[NearRequest]:
    """The successful requests nearest to a vector."""
    return [
        NearRequest(Interpretation(match.entry.interpretation), match.similarity)
        for match in index.search(vector, k)
    ]


def pair_scores(
    encoder: PairEncoder | None, text: str, candidates: list[Candidate], limit: int
) -> list[float] | None:
    """Scores of the pair encoder, 0..1; NaN for the candidates that it is not asked about."""
    if encoder is None or not limit:
        return None
    likest = sorted(range(len(candidates)), key=lambda i: -fuzz.ratio(text, candidates[i].text))[:limit]
    scores = [float("nan")] * len(candidates)
    for i, score in zip(likest, encoder.score(text, [candidates[i].text for i in likest]), strict=True):
        scores[i] = float(score)
    return scores


class _Watch:
    """The time of one answer."""

    def __init__(self, clock_s: Callable[[], float], started_s: float | None, budget_ms: float) -> None:
        self._clock_s = clock_s
        self._ends_s = (clock_s() if started_s is None else started_s) + budget_ms / 1000
        self.seconds: dict[Stage, float] = {}

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        began_s = self._clock_s()
        yield
        self.seconds[stage] = self._clock_s() - began_s

    @property
    def is_over(self) -> bool:
        return self._clock_s() > self._ends_s

    def out_of_time(self) -> OnlineAnswer:
        return OnlineAnswer(None, AbstainReason.OUT_OF_TIME, seconds=self.seconds)
