"""Rewrite candidates: what a request could have meant, from the user's own history and from all users.

Nothing is judged here: the ranker does that. What comes from more than one place is one candidate.
"""

from collections.abc import Callable, Iterable
from enum import IntFlag

from msgspec import Struct
from rapidfuzz import fuzz, process

from labeling.text.normalisation import normalise
from labeling.text.question import NO_QUESTION
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory
from rewriting.requests.statistics import RepairStatistics, StatisticsSource


class Source(IntFlag):
    """Where a candidate comes from; several may hold."""

    HABIT = 1  # the user succeeds with it
    OWN_REPAIR = 2  # the user's own second tries led from this text to it
    TEXT_REPAIR = 4  # second tries of several users led from this text to it
    MEANING_REPAIR = 8  # second tries of several users led from this interpretation to it
    QUESTION = 16  # several users gave it as the answer to the question
    SIMILAR = 32  # the global index has it near the request
    OWN_RUN = 64  # rewrites of this text ran it, and the user was content


class Candidate(Struct, frozen=True, gc=False):
    """What a request could have meant."""

    interpretation: Interpretation
    text: str  # to run; as it is said
    source: Source
    similarity: float | None = None  # of the vectors, -1..1; None: not known


class NearRequest(Struct, frozen=True, gc=False):
    """A successful request near to the one that is asked about, from the global index."""

    interpretation: Interpretation
    similarity: float  # cosine, -1..1


class CandidateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many candidates are looked at, and whom a global one must rest on."""

    min_users: int = 3
    """Distinct users who succeeded with the text of a global candidate: what fewer have said is private."""

    min_repair_users: int = 2
    """Distinct users behind the second tries that lead to a global candidate."""

    habits: int = 32
    """Own successful requests, those first that are most like the request. Raised, slower; lowered, habits in
    other words are missed."""

    text_repairs: int = 6
    meaning_repairs: int = 4
    answers: int = 8  # to the question, those first that are most like the request
    similar: int = 8  # from the global index

    uses_history: bool = True  # the personal layer
    uses_global: bool = True  # the global layer
    uses_index: bool = True  # the vectors of the global layer


def rewrite_candidates(
    request: AskedRequest,
    statistics: StatisticsSource,
    history: RequestHistory,
    near: Iterable[NearRequest],
    settings: CandidateSettings,
) -> list[Candidate]:
    """The candidates of a request, sorted by interpretation; never the request's own interpretation."""
    sources: dict[Interpretation, Source] = {}
    similarity: dict[Interpretation, float] = {}

    def add(interpretation: Interpretation, source: Source) -> None:
        sources[interpretation] = sources.get(interpretation, Source(0)) | source

    if settings.uses_history:
        for interpretation in _likest(request.text, history.habits, _habit_texts(history), settings.habits):
            add(interpretation, Source.HABIT)
        for interpretation in history.repairs.get(request.text, {}):
            add(interpretation, Source.OWN_REPAIR)
        for interpretation in history.content_with(request.text):
            add(interpretation, Source.OWN_RUN)
    statistics.prefetch(
        [(request.text, NO_QUESTION), (request.text, request.question)],
        [request.interpretation] if request.interpretation else [],
        [request.question] if request.question else [],
    )
    if settings.uses_global:
        asked = statistics.text(request.text, request.question)
        if asked is not None:
            for interpretation in _repaired(asked.repairs, settings.text_repairs, settings.min_repair_users):
                add(interpretation, Source.TEXT_REPAIR)
        own = statistics.interpretation(request.interpretation) if request.interpretation else None
        if own is not None:
            for interpretation in _repaired(own.repairs, settings.meaning_repairs, settings.min_repair_users):
                add(interpretation, Source.MEANING_REPAIR)
        for interpretation in _answers(request, statistics, settings):
            add(interpretation, Source.QUESTION)
    if settings.uses_index:
        for entry in near:
            similarity[entry.interpretation] = entry.similarity
            add(entry.interpretation, Source.SIMILAR)
    if request.interpretation is not None:
        sources.pop(request.interpretation, None)
    statistics.prefetch(interpretations=sources)
    found = []
    for interpretation, source in sorted(sources.items()):
        text = _text_of(interpretation, statistics, history, settings)
        if text is not None and normalise(text) != request.text:
            found.append(Candidate(interpretation, text, source, similarity.get(interpretation)))
    return found


def is_personal(candidate: Candidate) -> bool:
    """Whether only the user's own history speaks for a candidate."""
    own = candidate.source & (Source.HABIT | Source.OWN_REPAIR | Source.OWN_RUN)
    return bool(own) and not candidate.source & (Source.TEXT_REPAIR | Source.QUESTION)


def _text_of(
    interpretation: Interpretation,
    statistics: StatisticsSource,
    history: RequestHistory,
    settings: CandidateSettings,
) -> str | None:
    """How everybody says it, else how the user does; None if neither may be known."""
    known = statistics.interpretation(interpretation) if settings.uses_global or settings.uses_index else None
    if known is not None and known.text is not None:
        return known.text
    habit = history.habits.get(interpretation) if settings.uses_history else None
    return habit.text if habit is not None else None


def _repaired(
    repairs: dict[Interpretation, RepairStatistics], limit: int, min_users: int
) -> list[Interpretation]:
    known = [(key, count) for key, count in repairs.items() if count.users >= min_users]
    return [key for key, _ in sorted(known, key=lambda item: (-item[1].count, item[0]))[:limit]]


def _answers(
    request: AskedRequest, statistics: StatisticsSource, settings: CandidateSettings
) -> list[Interpretation]:
    asked = statistics.question(request.question) if request.question else None
    if asked is None:
        return []

    def text_of(interpretation: Interpretation) -> str:
        known = statistics.interpretation(interpretation)
        return (known.text if known is not None else None) or ""

    known = [key for key, answer in asked.answers.items() if answer.users >= settings.min_users]
    statistics.prefetch(interpretations=known)
    return _likest(request.text, known, text_of, settings.answers)


def _habit_texts(history: RequestHistory) -> Callable[[Interpretation], str]:
    return lambda interpretation: history.habits[interpretation].text


def _likest(
    text: str,
    interpretations: Iterable[Interpretation],
    text_of: Callable[[Interpretation], str],
    limit: int,
) -> list[Interpretation]:
    """Those whose texts are most like the given one."""
    known = sorted(interpretations)
    if len(known) <= limit:
        return known
    texts = [normalise(text_of(interpretation)) for interpretation in known]
    return [known[i] for _, _, i in process.extract(text, texts, scorer=fuzz.ratio, limit=limit)]
