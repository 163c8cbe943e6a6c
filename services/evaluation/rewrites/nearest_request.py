"""Baselines of retrieval: a request is replaced by the nearest one that enough users succeed with.

Nearest by letters, by words (BM25), or by the vectors of an encoder that was never trained on the log. What
is near enough is set on the held-back days, with the same function as the ranker's gates; a request that is
among those that users succeed with is its own nearest, and stays.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import bm25s
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from rewriting.encoders.text_encoder import RequestEncoder
from rewriting.evidence.interpretation import Interpretation, is_understood
from rewriting.index.request_index import RequestIndex
from rewriting.index.vector_index import VectorIndex
from rewriting.ranking.candidates import Source
from rewriting.ranking.gates import HeldBack, RewriteGates, choose_gates
from rewriting.ranking.online_rewriter import OnlineAnswer, OnlineRewrite
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory
from rewriting.requests.silent_failures import SilentFailures
from rewriting.requests.statistics import StatisticsSource
from rewriting.requests.step import RequestText, SessionRequests
from rewriting.table.abstain_reason import AbstainReason
from streams.turn import UserId

Floats = NDArray[np.float32]
_Key = TypeVar("_Key", bound=str)

_AT_A_TIME = 256  # requests compared with all known ones: a table of some megabytes


class KnownRequest(Struct, frozen=True):
    """A request that several users succeed with."""

    text: RequestText
    surface: str  # as it is mostly said
    interpretation: Interpretation  # as it is mostly understood


class Nearness(Protocol):
    """Which of some known texts is nearest."""

    def nearest(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], Floats]:
        """Of each text, normalised: the number of the nearest known text, and how near it is, 0..1."""
        ...


MakeNearness = Callable[[Sequence[str]], Nearness]
"""From the known texts, at least one."""


def known_requests(sessions: Iterable[SessionRequests], min_users: int) -> list[KnownRequest]:
    """What at least `min_users` distinct users succeeded with, sorted by text."""
    users: dict[RequestText, set[UserId]] = {}
    said: dict[RequestText, dict[str, int]] = {}
    understood: dict[RequestText, dict[Interpretation, int]] = {}
    for session in sessions:
        for step in session.steps:
            if step.success and not step.run and is_understood(step.interpretation):
                users.setdefault(step.text, set()).add(session.user_id)
                surfaces = said.setdefault(step.text, {})
                surfaces[step.surface] = surfaces.get(step.surface, 0) + 1
                meanings = understood.setdefault(step.text, {})
                meanings[step.interpretation] = meanings.get(step.interpretation, 0) + 1
    return [
        KnownRequest(text, _commonest(said[text]), _commonest(understood[text]))
        for text in sorted(users)
        if len(users[text]) >= min_users
    ]


class EditNearness(Struct, frozen=True):
    """By edit distance, as a share of the longer text."""

    known: Sequence[str]

    def nearest(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], Floats]:
        """As `Nearness` says."""
        best = np.zeros(len(texts), dtype=np.intp)
        near = np.zeros(len(texts), dtype=np.float32)
        for start in range(0, len(texts), _AT_A_TIME):
            some = slice(start, start + _AT_A_TIME)
            table = process.cdist(texts[some], self.known, scorer=Levenshtein.normalized_similarity)
            best[some], near[some] = table.argmax(axis=1), table.max(axis=1)
        return best, near


class WordNearness:
    """By BM25 over words and groups of three characters, so that misheard words match in part.

    The nearest is the one with the highest score; near is how much of the score that it gives itself.
    """

    def __init__(self, known: Sequence[str]) -> None:
        self._index = bm25s.BM25()
        self._index.index([_words_and_trigrams(text) for text in known], show_progress=False)
        self._own = np.array(
            [self._index.get_scores(_words_and_trigrams(text))[i] for i, text in enumerate(known)]
        )

    def nearest(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], Floats]:
        """As `Nearness` says."""
        best = np.zeros(len(texts), dtype=np.intp)
        near = np.zeros(len(texts), dtype=np.float32)
        for i, text in enumerate(texts):
            scores = self._index.get_scores(_words_and_trigrams(text))
            best[i] = scores.argmax()
            near[i] = min(scores[best[i]] / max(self._own[best[i]], np.finfo(np.float32).tiny), 1.0)
        return best, near


class VectorNearness:
    """By the cosine of the vectors of an encoder."""

    def __init__(self, known: Sequence[str], encoder: RequestEncoder) -> None:
        self._encoder = encoder
        self._index = VectorIndex.build(np.arange(len(known), dtype=np.int64), encoder.encode(known))

    def nearest(self, texts: Sequence[str]) -> tuple[NDArray[np.intp], Floats]:
        """As `Nearness` says."""
        matches = [found[0] for found in self._index.search(self._encoder.encode(texts), 1)]
        near = np.clip([match.similarity for match in matches], 0.0, 1.0)
        return np.array([match.id for match in matches], dtype=np.intp), near.astype(np.float32)


class NearestRequest:
    """Replaces a request by the nearest known one, where that is near enough.

    Args:
        known: at least one.
        make_nearness: by what they are near.
        gates: how near is near enough.
    """

    def __init__(
        self, known: Sequence[KnownRequest], make_nearness: MakeNearness, gates: RewriteGates
    ) -> None:
        self._known = known
        self._nearness = make_nearness([request.text for request in known])
        self._gates = gates
        self._found: dict[str, tuple[KnownRequest, float]] = {}

    def nearest(self, text: RequestText) -> tuple[KnownRequest, float]:
        """The nearest known request, and how near it is, 0..1."""
        if text not in self._found:
            (best,), (near,) = self._nearness.nearest([text])
            self._found[text] = self._known[int(best)], float(near)
        return self._found[text]

    def answer(
        self,
        request: AskedRequest,
        statistics: StatisticsSource,
        history: RequestHistory,
        index: RequestIndex | None,
    ) -> OnlineAnswer:
        """What a request should have been, by its text alone."""
        known, near = self.nearest(request.text)
        if known.text == request.text:
            return OnlineAnswer(None, AbstainReason.SEEMS_RIGHT)
        if not self._gates.pass_win(near):
            return OnlineAnswer(None, AbstainReason.NOT_SURE)
        rewrite = OnlineRewrite(known.surface, known.interpretation, False, near, Source.SIMILAR)
        return OnlineAnswer(rewrite, None)


def nearness_gates(
    sessions: Iterable[SessionRequests],
    from_ms: float,
    min_users: int,
    make_nearness: MakeNearness,
    silent: SilentFailures,
    win_loss: float,
) -> RewriteGates:
    """How near is near enough for a wanted win/loss, as the held-back days show it.

    What is known is what users had succeeded with before these days.

    Args:
        sessions: of one assistant, sorted by their start, none of them empty.
        from_ms: when the held-back days begin.
        min_users: distinct users who must have succeeded with a known request.
        make_nearness: by what requests are near.
        silent: how much goes wrong without a sign.
        win_loss: wanted wins for each loss.
    """
    before: list[SessionRequests] = []
    held_back: list[SessionRequests] = []
    for session in sessions:
        (held_back if session.steps[0].ts_ms >= from_ms else before).append(session)
    known = known_requests((session for session in before if session.end_ms < from_ms), min_users)
    requests = [
        (session, step, meant)
        for session in held_back
        for step, meant in zip(session.steps, session.each_meant(), strict=True)
        if not step.run
    ]
    defect, win = np.ones(len(requests)), np.zeros(len(requests))
    right, mended = np.zeros(len(requests), dtype=bool), np.zeros(len(requests), dtype=bool)
    if known and requests:
        texts = sorted({step.text for _, step, _ in requests})
        best, near = make_nearness([request.text for request in known]).nearest(texts)
        found = {text: (known[int(b)], float(n)) for text, b, n in zip(texts, best, near, strict=True)}
        for row, (session, step, meant) in enumerate(requests):
            request, likeness = found[step.text]
            win[row] = likeness if request.text != step.text else 0.0
            if meant is not None:
                interpretation = session.steps[meant].interpretation
                right[row] = step.interpretation == interpretation
                mended[row] = request.interpretation == interpretation
    return choose_gates(HeldBack(defect, win, right, ~right, mended), silent, win_loss)


def _words_and_trigrams(text: str) -> list[str]:
    words = text.split()
    padded = [f" {word} " for word in words]
    return words + [word[i : i + 3] for word in padded for i in range(len(word) - 2)]


def _commonest(counts: dict[_Key, int]) -> _Key:
    return min(counts, key=lambda key: (-counts[key], key))
