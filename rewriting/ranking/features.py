"""Rank features: the numbers by which a request and its candidates are judged.

All are known before the request is run. Each belongs to a group, so that a whole group can be left out.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz
from rapidfuzz.distance import JaroWinkler

from labeling.text.normalisation import normalise
from labeling.text.phonetics import phonetic_similarity
from labeling.text.question import NO_QUESTION
from rewriting.evidence.interpretation import Interpretation
from rewriting.ranking.candidates import Candidate
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory, hour_of
from rewriting.requests.statistics import (
    CONFIDENCE_BINS,
    InterpretationStatistics,
    Outcomes,
    QuestionStatistics,
    StatisticsSource,
    TextStatistics,
    confidence_bin,
)

Features = NDArray[np.float32]

UNKNOWN = float("nan")
"""A feature that is not known: trees send it down a branch of its own."""

NEAR_CONFIDENCE = 0.08
"""Width (standard deviation) of the neighbourhood of a confidence: the same recording comes again within
about this much. Narrower, few requests count; wider, well and badly heard ones mix."""

_DAY_MS = 86_400_000


class Group(StrEnum):
    """What a feature tells of."""

    CONFIDENCE = "confidence"
    OUTCOME = "outcome"  # how such requests went, for all users
    REPAIR = "repair"  # second tries, of all users
    TEXT = "text"  # words and letters in common
    PHONETICS = "phonetics"
    MEANING = "meaning"  # domain, intent and slots in common
    VECTOR = "vector"
    PAIR = "pair"  # the pair encoder
    CONTEXT = "context"  # earlier requests of the session, and what was asked
    PERSONAL = "personal"  # the user's own history


REQUEST_FEATURES: tuple[tuple[str, Group], ...] = (
    ("confidence", Group.CONFIDENCE),
    ("asr_confidence", Group.CONFIDENCE),
    ("nlu_confidence", Group.CONFIDENCE),
    ("words", Group.TEXT),
    ("characters", Group.TEXT),
    ("text_requests", Group.OUTCOME),
    ("text_users", Group.OUTCOME),
    ("text_success_rate", Group.OUTCOME),
    ("text_success_near", Group.OUTCOME),
    ("text_weight_near", Group.OUTCOME),
    ("meaning_success_rate", Group.OUTCOME),
    ("meaning_requests", Group.OUTCOME),
    ("meaning_success_near", Group.OUTCOME),
    ("meaning_weight_near", Group.OUTCOME),
    ("text_repairs", Group.REPAIR),
    ("text_repair_rate", Group.REPAIR),
    ("text_repair_rate_near", Group.REPAIR),
    ("meaning_repair_rate", Group.REPAIR),
    ("answer_requests", Group.CONTEXT),
    ("answer_success_near", Group.CONTEXT),
    ("answer_repair_rate", Group.CONTEXT),
    ("answer_share", Group.CONTEXT),
    ("has_question", Group.CONTEXT),
    ("earlier_requests", Group.CONTEXT),
    ("earlier_age_s", Group.CONTEXT),
    ("earlier_failed", Group.CONTEXT),
    ("earlier_likeness", Group.CONTEXT),
    ("earlier_same_meaning", Group.CONTEXT),
    ("own_text_requests", Group.PERSONAL),
    ("own_text_success", Group.PERSONAL),
    ("own_text_repairs", Group.PERSONAL),
    ("own_meaning_weight", Group.PERSONAL),
    ("own_meaning_age_days", Group.PERSONAL),
    ("own_weight", Group.PERSONAL),
    ("own_habits", Group.PERSONAL),
)
"""Of a request as it is."""

CANDIDATE_FEATURES: tuple[tuple[str, Group], ...] = (
    ("candidates", Group.TEXT),
    ("repairs", Group.REPAIR),
    ("repair_users", Group.REPAIR),
    ("repair_rate", Group.REPAIR),
    ("repair_share", Group.REPAIR),
    ("repairs_near", Group.REPAIR),
    ("repair_rate_near", Group.REPAIR),
    ("meaning_repairs", Group.REPAIR),
    ("meaning_repair_rate", Group.REPAIR),
    ("meaning_repair_share", Group.REPAIR),
    ("target_users", Group.OUTCOME),
    ("target_weight", Group.OUTCOME),
    ("target_success_rate", Group.OUTCOME),
    ("answer_users", Group.CONTEXT),
    ("answer_repairs", Group.CONTEXT),
    ("answer_repair_rate", Group.CONTEXT),
    ("was_tried", Group.CONTEXT),
    ("earlier_likeness", Group.CONTEXT),
    ("likeness", Group.TEXT),
    ("token_set", Group.TEXT),
    ("token_sort", Group.TEXT),
    ("trigrams", Group.TEXT),
    ("words_in_common", Group.TEXT),
    ("more_words", Group.TEXT),
    ("jaro_winkler", Group.TEXT),
    ("likeness_lead", Group.TEXT),
    ("phonetics", Group.PHONETICS),
    ("phonetics_lead", Group.PHONETICS),
    ("same_domain", Group.MEANING),
    ("same_intent", Group.MEANING),
    ("slots_in_common", Group.MEANING),
    ("slots_apart", Group.MEANING),
    ("vector_similarity", Group.VECTOR),
    ("vector_lead", Group.VECTOR),
    ("pair_score", Group.PAIR),
    ("pair_lead", Group.PAIR),
    ("habit_weight", Group.PERSONAL),
    ("habit_share", Group.PERSONAL),
    ("habit_age_days", Group.PERSONAL),
    ("habit_hour", Group.PERSONAL),
    ("habit_device", Group.PERSONAL),
    ("own_repairs", Group.PERSONAL),
    ("own_repairs_to", Group.PERSONAL),
    ("habit_lead", Group.PERSONAL),
    ("habit_likeness_lead", Group.PERSONAL),
)
"""Of a candidate, beside those of its request."""

GATE_SUMMARIES: tuple[tuple[str, Group], ...] = (
    ("best_repair_rate", Group.REPAIR),
    ("best_meaning_repair_rate", Group.REPAIR),
    ("best_habit_likeness", Group.PERSONAL),
    ("best_likeness", Group.TEXT),
    ("best_phonetics", Group.PHONETICS),
    ("best_own_repairs", Group.PERSONAL),
)
"""Of all candidates together, for the defect gate."""


class _Known(Struct):
    """What the statistics tell of a request, whatever it is rewritten to: summed up once for all."""

    near: tuple[float, ...]  # weight of each confidence bin
    text: TextStatistics | None
    meaning: InterpretationStatistics | None
    answer: TextStatistics | None  # of the text after the question
    asked: QuestionStatistics | None
    n_text: int  # requests
    n_meaning: int
    text_success: float
    text_weight: float
    text_repairs: int
    meaning_repairs: int

    @classmethod
    def of(cls, request: AskedRequest, statistics: StatisticsSource) -> "_Known":
        near = _near_weights(confidence_bin(request.confidence))
        text = statistics.text(request.text, NO_QUESTION)
        meaning = statistics.interpretation(request.interpretation) if request.interpretation else None
        return cls(
            near,
            text,
            meaning,
            statistics.text(request.text, request.question) if request.question else None,
            statistics.question(request.question) if request.question else None,
            text.outcomes.count if text else 0,
            meaning.outcomes.count if meaning else 0,
            *_success_near(text.outcomes if text else None, near),
            text.repair_count if text else 0,
            meaning.repair_count if meaning else 0,
        )


def request_features(
    request: AskedRequest, statistics: StatisticsSource, history: RequestHistory
) -> Features:
    """(len(REQUEST_FEATURES),): the request as it is."""
    known = _Known.of(request, statistics)
    text, meaning, answer, asked = known.text, known.meaning, known.answer, known.asked
    n_text, n_meaning, text_repairs = known.n_text, known.n_meaning, known.text_repairs
    meaning_success, meaning_weight = _success_near(meaning.outcomes if meaning else None, known.near)
    answer_share = UNKNOWN
    if asked is not None and request.interpretation is not None:
        given = asked.answers.get(request.interpretation)
        answer_share = (given.weight if given else 0.0) / (asked.weight + 1)
    last = request.earlier[-1] if request.earlier else None
    said = history.said.get(request.text)
    own = history.habits.get(request.interpretation) if request.interpretation else None
    return np.array(
        [
            _or_unknown(request.confidence),
            _or_unknown(request.asr_confidence),
            _or_unknown(request.nlu_confidence),
            len(request.text.split()),
            min(len(request.text), 200),
            n_text,
            text.users if text else 0,
            text.outcomes.success_weight / n_text if text and n_text else UNKNOWN,
            known.text_success,
            known.text_weight,
            meaning.outcomes.success_weight / n_meaning if meaning else UNKNOWN,
            n_meaning,
            meaning_success,
            meaning_weight,
            text_repairs,
            text_repairs / (n_text + 1),
            _near(text.repair_bins, known.near) / (known.text_weight + 1) if text else 0.0,
            known.meaning_repairs / (n_meaning + 1),
            answer.outcomes.count if answer else 0,
            _success_near(answer.outcomes, known.near)[0] if answer else UNKNOWN,
            answer.repair_count / (answer.outcomes.count + 1) if answer else UNKNOWN,
            answer_share,
            bool(request.question),
            len(request.earlier),
            _or_unknown(last.age_s if last else None),
            last.failed if last else UNKNOWN,
            fuzz.token_set_ratio(last.text, request.text) / 100 if last else UNKNOWN,
            last.interpretation == request.interpretation
            if last and last.interpretation and request.interpretation
            else UNKNOWN,
            said.requests if said else 0,
            said.success if said else 0.0,
            sum(history.repairs.get(request.text, {}).values())
            + sum(history.content_with(request.text).values()),
            own.weight if own else 0.0,
            (request.ts_ms - own.last_ms) / _DAY_MS if own else UNKNOWN,
            history.weight,
            len(history.habits),
        ],
        dtype=np.float32,
    )


def candidate_features(
    request: AskedRequest,
    candidates: Sequence[Candidate],
    statistics: StatisticsSource,
    history: RequestHistory,
    pair_scores: Sequence[float] | None = None,
) -> Features:
    """(len(candidates), len(CANDIDATE_FEATURES)): each candidate beside the request."""
    if not candidates:
        return np.zeros((0, len(CANDIDATE_FEATURES)), dtype=np.float32)
    known = _Known.of(request, statistics)
    table = np.array(
        [
            [
                len(candidates),
                *_shared_features(request, candidate, known, statistics),
                *_word_features(request, candidate),
                _or_unknown(candidate.similarity),
                UNKNOWN,  # vector_lead
                _or_unknown(pair_scores[i] if pair_scores is not None else None),
                UNKNOWN,  # pair_lead
                *_own_features(request, candidate, history),
            ]
            for i, candidate in enumerate(candidates)
        ],
        dtype=np.float32,
    )
    is_habit = table[:, _COLUMN["habit_weight"]] > 0
    for lead, of in _LEADS:
        table[:, _COLUMN[lead]] = _lead(table[:, _COLUMN[of]])
    likeness = np.where(is_habit, table[:, _COLUMN["likeness"]], np.nan)
    table[:, _COLUMN["habit_likeness_lead"]] = _lead(likeness)
    return table


def _shared_features(
    request: AskedRequest, candidate: Candidate, known: _Known, statistics: StatisticsSource
) -> tuple[float, ...]:
    """What all users have shown: from `repairs` to `was_tried`."""
    key = candidate.interpretation
    text, meaning, answer, asked = known.text, known.meaning, known.answer, known.asked
    repair = text.repairs.get(key) if text else None
    n_repair = repair.count if repair else 0
    repair_near = _near(repair.bins, known.near) if repair else 0.0
    by_meaning = meaning.repairs.get(key) if meaning else None
    n_by_meaning = by_meaning.count if by_meaning else 0
    target = statistics.interpretation(key)
    met = target.met_weight if target else 0.0
    given = asked.answers.get(key) if asked else None
    answered = answer.repairs.get(key) if answer else None
    n_answered = answered.count if answered else 0
    return (
        n_repair,
        repair.users if repair else 0,
        n_repair / (known.n_text + 1),
        n_repair / (known.text_repairs + 1),
        repair_near,
        repair_near / (known.text_weight + 1),
        n_by_meaning,
        n_by_meaning / (known.n_meaning + 1),
        n_by_meaning / (known.meaning_repairs + 1),
        target.met_users if target else 0,
        met,
        met / ((target.outcomes.count if target else 0) + 1),
        (given.users if given else 0) if asked else UNKNOWN,
        n_answered if answer else UNKNOWN,
        n_answered / (answer.outcomes.count + 1) if answer else UNKNOWN,
        any(before.interpretation == key for before in request.earlier),
    )


def _word_features(request: AskedRequest, candidate: Candidate) -> tuple[float, ...]:
    """What the words and the meaning have in common: from `earlier_likeness` to `slots_apart`."""
    words = normalise(candidate.text)
    frame, other = _frame(request.interpretation), _frame(candidate.interpretation)
    return (
        max(
            (fuzz.token_set_ratio(before.text, words) / 100 for before in request.earlier),
            default=UNKNOWN,
        ),
        *_text_features(request.text, words),
        UNKNOWN,  # likeness_lead
        phonetic_similarity(request.text, words),
        UNKNOWN,  # phonetics_lead
        other[0] == frame[0],
        other[:2] == frame[:2],
        len(other[2] & frame[2]),
        len(other[2] ^ frame[2]),
    )


def _own_features(request: AskedRequest, candidate: Candidate, history: RequestHistory) -> tuple[float, ...]:
    """What the user's own history shows: from `habit_weight` on."""
    key = candidate.interpretation
    habit = history.habits.get(key)
    content = history.content_with(request.text).get(key, 0)
    return (
        habit.weight if habit else 0.0,
        habit.weight / history.weight if habit else 0.0,
        (request.ts_ms - habit.last_ms) / _DAY_MS if habit else UNKNOWN,
        _share_near_hour(habit.hours, hour_of(request.ts_ms)) if habit else UNKNOWN,
        _share(habit.devices, request.device) if habit else UNKNOWN,
        history.repairs.get(request.text, {}).get(key, 0) + content,
        history.repaired_to.get(key, 0) + content,
        UNKNOWN,  # habit_lead
        UNKNOWN,  # habit_likeness_lead
    )


def gate_summaries(table: Features) -> Features:
    """(len(GATE_SUMMARIES),): what the candidates together say of the request."""
    if not len(table):
        return np.zeros(len(GATE_SUMMARIES), dtype=np.float32)

    def best(name: str, among: NDArray[np.bool_] | None = None) -> float:
        values = table[:, _COLUMN[name]]
        if among is not None:
            values = values[among]
        return float(values.max()) if len(values) else UNKNOWN

    is_habit = table[:, _COLUMN["habit_weight"]] > 0
    return np.array(
        [
            best("repair_rate_near"),
            best("meaning_repair_rate"),
            best("likeness", is_habit),
            best("likeness"),
            best("phonetics"),
            best("own_repairs"),
        ],
        dtype=np.float32,
    )


_COLUMN = {name: i for i, (name, _) in enumerate(CANDIDATE_FEATURES)}
_SUCCESS_NEAR, _WEIGHT_NEAR = (
    [name for name, _ in REQUEST_FEATURES].index(name) for name in ("text_success_near", "text_weight_near")
)
_LEADS = (
    ("likeness_lead", "likeness"),
    ("phonetics_lead", "phonetics"),
    ("vector_lead", "vector_similarity"),
    ("pair_lead", "pair_score"),
    ("habit_lead", "habit_weight"),
)


def _lead(values: Features) -> Features:
    """By how much each value is above the best of the others; negative where it is below."""
    known = np.where(np.isnan(values), -np.inf, values)
    if len(known) < 2:
        return np.full_like(values, np.nan)
    second, first = np.partition(known, -2)[-2:]
    if not np.isfinite(second):  # one value at most is known
        return np.full_like(values, np.nan)
    lead = np.where(np.isnan(values), np.nan, values - np.where(known == first, second, first))
    return lead.astype(np.float32)


@lru_cache(maxsize=65_536)
def _text_features(text: str, other: str) -> tuple[float, ...]:
    words, others = set(text.split()), set(other.split())
    grams = {text[i : i + 3] for i in range(len(text) - 2)}
    other_grams = {other[i : i + 3] for i in range(len(other) - 2)}
    return (
        fuzz.ratio(text, other) / 100,
        fuzz.token_set_ratio(text, other) / 100,
        fuzz.token_sort_ratio(text, other) / 100,
        len(grams & other_grams) / max(len(grams | other_grams), 1),
        len(words & others) / max(len(words | others), 1),
        len(others) - len(words),
        JaroWinkler.similarity(text, other),
    )


@lru_cache(maxsize=65_536)
def _frame(interpretation: Interpretation | None) -> tuple[str, str, frozenset[str]]:
    """Domain, intent and slots."""
    parts = (interpretation or "").split("|", 2)
    if len(parts) < 3:
        return interpretation or "", "", frozenset()
    return parts[0], parts[1], frozenset(parts[2].split(";")) - {""}


def users_behind(candidate: Features) -> int:
    """Distinct users who succeeded with a candidate.

    Args:
        candidate: (len(CANDIDATE_FEATURES),), from `candidate_features`.
    """
    return int(candidate[_COLUMN["target_users"]])


def met_near(request: Features) -> tuple[float, float]:
    """How many requests in the same words, understood about as surely, were met, and how many there were.

    Args:
        request: (len(REQUEST_FEATURES),), from `request_features`.
    """
    rate, requests = float(request[_SUCCESS_NEAR]), float(request[_WEIGHT_NEAR])
    return max(rate * (requests + 1) - 0.5, 0.0), requests  # as `_success_near` has smoothed it


@lru_cache(maxsize=CONFIDENCE_BINS + 1)
def _near_weights(own_bin: int) -> tuple[float, ...]:
    """The weight of each bin in the neighbourhood of one."""
    if own_bin == CONFIDENCE_BINS:
        return (0.0,) * CONFIDENCE_BINS + (1.0,)
    apart = [(i - own_bin) / CONFIDENCE_BINS / NEAR_CONFIDENCE for i in range(CONFIDENCE_BINS)]
    return (*(math.exp(-(distance**2) / 2) for distance in apart), 0.0)


def _near(bins: dict[int, int] | dict[int, float], near: tuple[float, ...]) -> float:
    return sum(near[i] * count for i, count in bins.items())


def _success_near(outcomes: Outcomes | None, near: tuple[float, ...]) -> tuple[float, float]:
    """The smoothed success rate in a neighbourhood, and the requests in it."""
    if outcomes is None:
        return 0.5, 0.0
    weight = _near(outcomes.requests, near)
    return (_near(outcomes.success, near) + 0.5) / (weight + 1), weight


def _share_near_hour(hours: dict[int, int], hour: int) -> float:
    near = sum(n for other, n in hours.items() if min((other - hour) % 24, (hour - other) % 24) <= 1)
    return near / sum(hours.values())


def _share(devices: dict[str, int], device: str | None) -> float:
    total = sum(devices.values())
    return devices.get(device, 0) / total if device is not None and total else UNKNOWN


def _or_unknown(value: float | None) -> float:
    return UNKNOWN if value is None else value
