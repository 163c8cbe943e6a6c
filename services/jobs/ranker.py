"""Learning of a ranker from an assistant's sessions: its examples, and its training, with progress bars."""

from collections.abc import Iterable, Sequence

from rich.progress import Progress

from rewriting.encoders.text_encoder import RequestEncoder
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.daily_retrieval import DailyRetrieval
from rewriting.ranking.examples import PairScores, RankExample, Retrieve, rank_examples, retrieve_nothing
from rewriting.ranking.settings import RankerSettings
from rewriting.ranking.training import TrainedRanker, train_ranker
from rewriting.requests.counts import RequestCounts
from rewriting.requests.silent_failures import SilentFailures, silent_failures
from rewriting.requests.step import SessionRequests
from services.jobs.ranker_warm_up import warm_up_ends_ms


def silent_failures_of(sessions: Iterable[SessionRequests], min_users: int) -> SilentFailures:
    """How much of what goes wrong in the sessions of one assistant shows no sign of it."""
    counts = RequestCounts(min_users)
    for session in sessions:
        counts.add(session)
    return silent_failures(
        known for text, question in counts.texts if not question and (known := counts.text(text, question))
    )


def ranker_examples(
    sessions: Sequence[SessionRequests],
    encoder: RequestEncoder | None,
    candidates: CandidateSettings,
    settings: RankerSettings,
    progress: Progress | None = None,
    description: str = "examples for the ranker",
    pairs: PairScores | None = None,
) -> list[RankExample]:
    """The requests that a ranker learns from, each with the candidates that it had when it came.

    Args:
        sessions: of one assistant, sorted by their start, none of them empty.
        encoder: of the global index; None: it is not searched.
        candidates: which are looked at.
        settings: from when on, and how many requests.
        progress: shows how far it is.
        description: of the bar.
        pairs: scores of the pair encoder; None: it is not used.
    """
    if not sessions:
        return []
    bar = progress.add_task(description, total=len(sessions)) if progress else None

    def advance() -> None:
        if progress and bar is not None:
            progress.advance(bar)

    from_ms = warm_up_ends_ms(sessions, settings)
    n_requests = sum(len(session.steps) for session in sessions)
    if n_requests > settings.most_examples:
        newest = sorted(step.ts_ms for session in sessions for step in session.steps)[-settings.most_examples]
        from_ms = max(from_ms, newest)
    retrieve: Retrieve = retrieve_nothing
    if encoder is not None and candidates.uses_index:
        retrieve = DailyRetrieval(encoder, candidates.similar)
    return list(rank_examples(sessions, from_ms, candidates, retrieve, pairs, advance))


def learn_ranker(
    examples: Sequence[RankExample],
    silent: SilentFailures,
    settings: RankerSettings,
    progress: Progress | None = None,
    description: str = "ranker",
    guard: CandidateGuard | None = None,
) -> TrainedRanker | None:
    """Trains a ranker (`train_ranker`), with a bar."""
    bar = progress.add_task(description, total=None) if progress else None

    def show(step: str) -> None:
        if progress and bar is not None:
            progress.update(bar, description=f"{description}: {step}")

    trained = train_ranker(examples, silent, settings, show, guard)
    if progress and bar is not None:
        progress.update(bar, description=description, total=1, completed=1)
    return trained
