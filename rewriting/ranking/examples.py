"""Rank examples: what the ranker learns from, made of a log in the order of time.

Each request is seen with the counts and the history as they were when it came; what it had meant is what the
session shows later: itself where it was met, else the request that its second tries ended with.
Requests that were rewritten are none: the log does not say what the assistant would have made of them.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from rewriting.evidence.interpretation import Interpretation
from rewriting.ranking.candidates import Candidate, CandidateSettings, NearRequest, rewrite_candidates
from rewriting.ranking.features import Features, candidate_features, request_features
from rewriting.requests.asked_request import AskedRequest, EarlierRequest
from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.history import RequestHistory
from rewriting.requests.step import RequestText, SessionRequests
from rewriting.table.occasion import locale_key
from streams.session import DEFAULT_GAP_MS
from streams.turn import UserId

Retrieve = Callable[[AskedRequest, RequestCounts], Iterable[NearRequest]]
"""The global index, as far as it knows requests by then."""


def retrieve_nothing(request: AskedRequest, counts: RequestCounts) -> Iterable[NearRequest]:
    """Where there is no index."""
    return ()


PairScores = Callable[[str, list[Candidate]], list[float] | None]
"""The pair encoder: a score of 0..1 for each candidate of a text, NaN for those that it has not read."""


class RankExample(Struct, frozen=True):
    """One request with its candidates."""

    ts_ms: int
    user_id: UserId
    text: RequestText
    locale: str  # empty: not known
    own: Interpretation
    meant: Interpretation | None  # None: it went wrong, and the session does not show what was meant
    weight: float  # of the outcome that shows it, 0..1
    request: Features  # (len(REQUEST_FEATURES),)
    candidates: tuple[Candidate, ...]
    features: Features  # (candidates, len(CANDIDATE_FEATURES))


def asked_step(session: SessionRequests, index: int) -> AskedRequest:
    """A step of a session as it was before it was run."""
    steps = session.steps
    step = steps[index]
    return AskedRequest(
        text=step.text,
        ts_ms=step.ts_ms,
        interpretation=None if step.run else step.interpretation,
        confidence=step.confidence,
        asr_confidence=step.asr_confidence,
        nlu_confidence=step.nlu_confidence,
        question=step.question,
        device=step.device,
        locale=locale_key(session.locale),
        earlier=tuple(
            EarlierRequest(
                text=before.executed,
                interpretation=before.interpretation,
                age_s=(step.ts_ms - before.ts_ms) / 1000,
                failed=before.failed,
            )
            for before in steps[:index]
        ),
    )


def rank_examples(
    sessions: Iterable[SessionRequests],
    from_ms: int,
    settings: CandidateSettings,
    retrieve: Retrieve = retrieve_nothing,
    pair_scores: PairScores | None = None,
    on_session: Callable[[], None] = lambda: None,
) -> Iterator[RankExample]:
    """Examples of the requests from `from_ms` on, in the order of the sessions' starts.

    Args:
        sessions: of one assistant, sorted by their start.
        from_ms: earlier sessions only build up the counts.
        settings: of the candidates.
        retrieve: the global index.
        pair_scores: of the pair encoder; None: not used.
        on_session: called after each session.
    """
    counts = RequestCounts(settings.min_users)
    shared = SharedStatistics(counts)  # what will be served, and no more
    histories: dict[UserId, RequestHistory] = {}
    for session, ended in with_ended(sessions):
        for past in ended:
            counts.add(past)
            histories.setdefault(past.user_id, RequestHistory()).add(past)
        if session.steps[0].ts_ms >= from_ms:
            history = histories.get(session.user_id) or RequestHistory()
            for i, (step, meant) in enumerate(zip(session.steps, session.each_meant(), strict=True)):
                if step.run:
                    continue
                request = asked_step(session, i)
                near = retrieve(request, counts)
                candidates = rewrite_candidates(request, shared, history, near, settings)
                scores = pair_scores(request.text, candidates) if pair_scores and candidates else None
                yield RankExample(
                    ts_ms=step.ts_ms,
                    user_id=session.user_id,
                    text=request.text,
                    locale=request.locale,
                    own=step.interpretation,
                    meant=None if meant is None else session.steps[meant].interpretation,
                    weight=1.0 if meant is None else session.steps[meant].success,
                    request=request_features(request, shared, history),
                    candidates=tuple(candidates),
                    features=candidate_features(request, candidates, shared, history, scores),
                )
        on_session()


def with_ended(
    sessions: Iterable[SessionRequests],
) -> Iterator[tuple[SessionRequests, list[SessionRequests]]]:
    """Each session with those that have ended since the start of the one before it, by their ends.

    Args:
        sessions: sorted by their start; those without steps are left out.
    """
    going_on: list[tuple[int, int, SessionRequests]] = []
    for number, session in enumerate(sessions):
        if not session.steps:
            continue
        ended = []
        while going_on and going_on[0][0] < session.steps[0].ts_ms - DEFAULT_GAP_MS:
            ended.append(heapq.heappop(going_on)[2])
        yield session, ended
        heapq.heappush(going_on, (session.end_ms, number, session))
