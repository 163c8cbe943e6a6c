"""Request steps: what online rewriting keeps of each turn of a session.

A session's steps are all that the statistics of an assistant, the history of a user and the training of the
ranker are made of; they hold what was known when the request came, and how it ended.
"""

from typing import Final, NewType

from msgspec import Struct

from labeling.text.normalisation import normalise
from labeling.text.outcome import UNKNOWN, TurnOutcome, judge_turns
from labeling.text.question import Question, question_before
from labeling.text.rewritten_request import is_rewritten
from rewriting.evidence.defect_outcome import judged_by_defects
from rewriting.evidence.interpretation import Interpretation, interpretation_of
from rewriting.evidence.rephrase_outcome import judged_by_links
from rewriting.evidence.session_evidence import NO_EVIDENCE, SessionEvidence
from rewriting.evidence.understanding_confidence import (
    logged_confidences,
    understanding_confidence,
    value_of,
)
from streams.session import Session
from streams.stores.step_store import SteppedSession
from streams.turn import TurnEvent

RequestText = NewType("RequestText", str)
"""A normalised text."""

STEPS_FORM: Final = 1
"""Number of what `session_requests` makes of a session. Raise it when the steps of a session come to mean
something else: they are then made anew from the turns. Steps from before there were forms have 0."""

_AS_SAID: Final = RequestText("")
"""In the place of what was run, where that is what was said."""

_WEAK_IN_DIALOGUES = frozenset({"rephrased", "failed"})
"""Signs that tell little in a declared dialogue: there a user goes on to what the assistant can offer
instead, or asks for the rest in much the same words."""


class RequestStep(Struct, frozen=True, array_like=True, gc=False):
    """One request of a session."""

    text: RequestText  # normalised, as it was said
    surface: str  # the same as it was written
    interpretation: Interpretation  # of what was run
    ts_ms: int
    question: Question  # what the assistant had just asked; empty: nothing that is known
    confidence: float | None  # value of `understanding_confidence`, 0..1
    asr_confidence: float | None  # 0..1
    nlu_confidence: float | None
    device: str | None
    failed: bool  # the user or the assistant showed it, before or with the next request
    success: float  # weights of its outcome, as in `TurnOutcome`
    goes_on: float
    system_initiated: bool = False  # it answers something that the assistant said unasked
    run: RequestText = _AS_SAID  # normalised, where something else was run than what was said

    @property
    def executed(self) -> RequestText:
        """What was run, normalised."""
        return self.run or self.text


class SessionRequests(SteppedSession, frozen=True, array_like=True, gc=False):
    """The requests of one session of one user, in their order."""

    steps: tuple[RequestStep, ...]
    locale: str = ""  # of its first request; empty: not known
    form: int = 0  # `STEPS_FORM` of whoever made it

    @property
    def end_ms(self) -> int:
        """Start of the last request."""
        return self.steps[-1].ts_ms if self.steps else 0

    def meant(self, index: int) -> int | None:
        """The step that shows what request `index` meant; None where the session does not show it.

        It is the step itself where that was met, else the one that a run of second tries ends with, where
        that one was met. A step that something else was run for shows nothing: its user did not say that.
        """
        last = index
        while self.steps[last].goes_on == 1 and last + 1 < len(self.steps):
            last += 1
        return last if _shows_itself(self.steps[last]) else None

    def each_meant(self) -> list[int | None]:
        """`meant` of every request, in one pass, however long the runs of second tries are."""
        found: list[int | None] = []
        for i in range(len(self.steps) - 1, -1, -1):
            step = self.steps[i]
            if not (found and step.goes_on == 1):
                found.append(i if _shows_itself(step) else None)
            else:
                found.append(found[-1])
        return found[::-1]

    def each_second_try(self) -> list[int | None]:
        """Of every request the later one that shows what it meant; None where there is none.

        Who says the same again, after something else was run for it, has not said what else it means.
        """
        return [
            None if meant is None or meant == i or _says_again(step, self.steps[meant]) else meant
            for i, (step, meant) in enumerate(zip(self.steps, self.each_meant(), strict=True))
        ]


def session_requests(session: Session, evidence: SessionEvidence = NO_EVIDENCE) -> SessionRequests:
    """Reduces a session to its steps; turns without a word are left out.

    A request that was rewritten is a step of what was said, with what was run beside it.

    Args:
        session: to be reduced.
        evidence: what models have said of it.
    """
    texts = {
        position: RequestText(text)
        for position, turn in enumerate(session.turns)
        if (text := normalise(turn.request.text)) and (turn.executed_text is None or normalise(turn.executed))
    }
    positions = list(texts)
    turns = [session.turns[position] for position in positions]
    outcomes = judge_turns(turns)
    is_weak = session.dialogue_id is not None
    if evidence.links is not None and (evidence.rule.in_dialogues or not is_weak):
        outcomes = judged_by_links(outcomes, evidence.links, positions, evidence.rule)
        is_weak = False
    outcomes = judged_by_defects(outcomes, evidence.defects, positions)
    steps = []
    for i, (turn, text, outcome) in enumerate(zip(turns, texts.values(), outcomes, strict=True)):
        if is_weak and outcome.reason in _WEAK_IN_DIALOGUES and i + 1 < len(turns):
            outcome = TurnOutcome(UNKNOWN, 1 - UNKNOWN, 0, outcome.reason)
        asr, nlu = logged_confidences(turn)
        steps.append(
            RequestStep(
                text=text,
                surface=" ".join(turn.request.text.split()),
                interpretation=interpretation_of(turn),
                ts_ms=turn.ts_ms,
                question=question_before(turn, turns[i - 1] if i else None),
                confidence=value_of(understanding_confidence(asr, nlu)),
                asr_confidence=asr,
                nlu_confidence=nlu,
                device=turn.device.type if turn.device else None,
                failed=has_failed(turn),
                success=outcome.success,
                goes_on=outcome.goes_on,
                system_initiated=bool(turn.system_initiated),
                run=RequestText(normalise(turn.executed)) if is_rewritten(turn) else _AS_SAID,
            )
        )
    locale = (turns[0].locale or "") if turns else ""
    return SessionRequests(
        session.session_id, session.assistant_id, session.user_id, tuple(steps), locale, STEPS_FORM
    )


def _shows_itself(step: RequestStep) -> bool:
    return step.success > 0 and not step.run


def _says_again(step: RequestStep, later: RequestStep) -> bool:
    return bool(step.run) and step.text == later.text


def has_failed(turn: TurnEvent) -> bool:
    """Whether it shows by the time of the next request that this one failed."""
    status = turn.response.status if turn.response else None
    signals = turn.signals
    return bool(signals.barge_in) or signals.feedback == "negative" or status in ("error", "no_result")
