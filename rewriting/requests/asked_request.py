"""The asked request: a request that the assistant is about to run, with all that is known by then."""

from collections.abc import Sequence

from msgspec import Struct

from labeling.text.normalisation import normalise
from labeling.text.question import NO_QUESTION, Question, question_before
from labeling.text.rewritten_request import is_rewritten
from rewriting.evidence.interpretation import Interpretation, interpretation_of
from rewriting.evidence.understanding_confidence import (
    logged_confidences,
    understanding_confidence,
    value_of,
)
from rewriting.requests.step import RequestText, has_failed
from rewriting.table.occasion import locale_key
from streams.turn import TurnEvent


class EarlierRequest(Struct, frozen=True, kw_only=True, gc=False):
    """A request before it in the same session, as it was run: that is what has been tried so far."""

    text: RequestText
    interpretation: Interpretation | None = None
    age_s: float | None = None  # seconds before the request that is asked about
    failed: bool = False  # the user interrupted or rejected its answer, or the assistant could not do it


class AskedRequest(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a request before it is run."""

    text: RequestText  # normalised
    ts_ms: int
    interpretation: Interpretation | None = None  # what the assistant would make of it
    confidence: float | None = None  # value of `understanding_confidence`, 0..1
    asr_confidence: float | None = None
    nlu_confidence: float | None = None
    question: Question = NO_QUESTION
    device: str | None = None
    locale: str = ""  # as in the keys of rows (`locale_key`); empty: not known
    earlier: tuple[EarlierRequest, ...] = ()  # of the session, oldest first


def asked_request(turn: TurnEvent, earlier: Sequence[TurnEvent]) -> AskedRequest:
    """A logged turn as it was before it was run: nothing of its response or signals is looked at.

    Of one that was rewritten it is not known what the assistant would have made of it.

    Args:
        turn: of a log.
        earlier: the turns before it in its session, oldest first.
    """
    asr, nlu = logged_confidences(turn)
    return AskedRequest(
        text=RequestText(normalise(turn.request.text)),
        ts_ms=turn.ts_ms,
        interpretation=None if is_rewritten(turn) else interpretation_of(turn),
        confidence=value_of(understanding_confidence(asr, nlu)),
        asr_confidence=asr,
        nlu_confidence=nlu,
        question=question_before(turn, earlier[-1] if earlier else None),
        device=turn.device.type if turn.device else None,
        locale=locale_key(turn.locale),
        earlier=tuple(
            EarlierRequest(
                text=RequestText(normalise(before.executed)),
                interpretation=interpretation_of(before),
                age_s=(turn.ts_ms - before.ts_ms) / 1000,
                failed=has_failed(before),
            )
            for before in earlier
        ),
    )
