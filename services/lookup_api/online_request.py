"""What the online rewriter is asked, from the body of a request; and its answer in words."""

from collections.abc import Iterator

from labeling.text.normalisation import normalise
from labeling.text.question import Question, question_of
from rewriting.evidence.interpretation import Interpretation, understood_as
from rewriting.evidence.understanding_confidence import (
    UnderstandingConfidence,
    understanding_confidence,
    value_of,
)
from rewriting.ranking.candidates import Source
from rewriting.requests.asked_request import AskedRequest, EarlierRequest
from rewriting.requests.step import RequestText
from rewriting.table.lookup import LONGEST_TEXT
from rewriting.table.occasion import locale_key
from services.lookup_api.messages import NluGuess, RewriteQuery

_FAILED = frozenset({"error", "no_result"})

SOURCE_WORDS: dict[Source, str] = {
    Source.HABIT: "the user has succeeded with it",
    Source.OWN_REPAIR: "the user's own second tries led from these words to it",
    Source.TEXT_REPAIR: "second tries of several users led from these words to it",
    Source.MEANING_REPAIR: "second tries of several users led from what was understood to it",
    Source.QUESTION: "several users have given it as the answer to this question",
    Source.SIMILAR: "it is like the request, and several users have succeeded with it",
}


def asked_online(query: RewriteQuery, now_ms: int) -> AskedRequest:
    """A request as the online rewriter takes it.

    Args:
        query: with a text that has a word.
        now_ms: milliseconds since 1970; for a query without a time.
    """
    ts_ms = now_ms if query.ts_ms is None else query.ts_ms
    return AskedRequest(
        text=RequestText(normalise(query.text)),
        ts_ms=ts_ms,
        interpretation=_interpretation(query.nlu),
        confidence=value_of(confidence_of(query)),
        asr_confidence=query.asr_confidence,
        nlu_confidence=None if query.nlu is None else query.nlu.confidence,
        question=question_asked(query),
        device=None if query.device is None else query.device.type,
        locale=locale_key(query.locale),
        earlier=tuple(_earlier(query, ts_ms)),
    )


def confidence_of(query: RewriteQuery) -> UnderstandingConfidence | None:
    """How surely a request was understood, by what it tells; None: not known."""
    return understanding_confidence(query.asr_confidence, None if query.nlu is None else query.nlu.confidence)


def question_asked(query: RewriteQuery) -> Question:
    """What the assistant had asked before a request."""
    last = query.previous_turns[-1].response_text if query.previous_turns else None
    return question_of(query.prompt or last)


def source_words(source: Source) -> tuple[str, ...]:
    """What speaks for a rewrite, in words."""
    return tuple(words for flag, words in SOURCE_WORDS.items() if flag & source)


def _earlier(query: RewriteQuery, ts_ms: int) -> Iterator[EarlierRequest]:
    for turn in query.previous_turns:
        text = normalise(turn.text[:LONGEST_TEXT])
        if text:
            yield EarlierRequest(
                text=RequestText(text),
                interpretation=_interpretation(turn.nlu),
                age_s=None if turn.ts_ms is None else (ts_ms - turn.ts_ms) / 1000,
                failed=turn.barge_in or turn.feedback == "negative" or turn.status in _FAILED,
            )


def _interpretation(nlu: NluGuess | None) -> Interpretation | None:
    if nlu is None:
        return None
    slots = ((slot.name, None if slot.value is None else slot.value[:LONGEST_TEXT]) for slot in nlu.slots)
    return understood_as(nlu.domain, nlu.intent, slots)
