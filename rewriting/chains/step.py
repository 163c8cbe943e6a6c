"""Chain steps: what one session adds to the chain, in the few numbers that the chain needs."""

from bisect import bisect_right
from typing import Final

from msgspec import Struct

from labeling.text.normalisation import normalise
from labeling.text.outcome import VISIBLE_FAILURES, is_similar, judge_turns
from labeling.text.question import (
    NO_QUESTION,
    Question,
    beside_question,
    question_after,
    question_before,
    question_of,
)
from rewriting.evidence.defect_outcome import judged_by_defects
from rewriting.evidence.interpretation import Interpretation, interpretation_of, slot_words
from rewriting.evidence.rephrase_outcome import judged_by_links
from rewriting.evidence.session_evidence import NO_EVIDENCE, SessionEvidence
from rewriting.evidence.understanding_confidence import (
    logged_confidences,
    understanding_confidence,
    value_of,
)
from rewriting.table.occasion import locale_key
from streams.session import Session
from streams.stores.step_store import SteppedSession
from streams.turn import TurnEvent, UserId

CONFIDENCE_BANDS = (0.25, 0.35, 0.45, 0.55, 0.65)
"""Upper ends of the lower bands of a confidence; the last is everything above, and what has no confidence.
Finer bands fit the guard of a rewrite closer, and leave fewer requests in each."""

NOT_KNOWN: Final = -1
"""In the place of the band of a confidence that is not known."""

DAY_MS = 86_400_000

STEPS_FORM: Final = 2
"""Number of what `session_steps` makes of a session. Raise it when a rule needs more than stored steps have:
they are then made anew from the turns. Steps from before there were forms have 0."""

N_BANDS = len(CONFIDENCE_BANDS) + 1

MOST_TOLD = 300
"""Characters of a response that are kept: an assistant that confirms what it has understood says so in its
first sentences; what is read out after them would only take room."""

BETWEEN_SENTENCES = "."
"""Stands between the words of two sentences; no normalised text has it."""


class ChainStep(Struct, frozen=True, array_like=True):
    """One turn: the text, what was understood, and how it ended."""

    text: str  # normalised, as it was run
    surface: str  # the same as it was said
    interpretation: Interpretation
    band: int  # of `understanding_confidence`: index of the confidence band, 0..len(CONFIDENCE_BANDS)
    success: float
    failure: float
    goes_on: float
    question: Question = NO_QUESTION  # what the assistant had just asked
    told: str = ""  # after a question: what was said in response, as `slot_words` of each sentence
    failed: bool = False  # its user or the assistant showed it
    said: str = ""  # where a rewrite was run in its place: what was said, normalised
    is_answer: bool = False  # of a second try: the assistant had just asked something
    is_echo: bool = False  # of a second try: its words are the assistant's own
    asr_band: int = NOT_KNOWN  # of the recogniser's confidence
    nlu_band: int = NOT_KNOWN  # of the NLU's
    is_unordered: bool = False  # it would be followed by a second try, but that has the same time


class SessionSteps(SteppedSession, frozen=True, array_like=True):
    """The steps of one session of one user."""

    steps: tuple[ChainStep, ...]
    is_dialogue: bool = False  # declared by the assistant: later requests answer what it has said
    day: int = 0  # of its first turn, days since 1970-01-01 UTC
    locale: str = ""  # of its turns; empty: not known, or several
    person_id: str = ""  # whose it is, where the producer links the ids of one person
    form: int = 0  # `STEPS_FORM` of whoever made it

    @property
    def person(self) -> UserId:
        """Whose it is: who has several ids counts once."""
        return UserId(self.person_id) if self.person_id else self.user_id


def session_steps(session: Session, evidence: SessionEvidence = NO_EVIDENCE) -> SessionSteps:
    """Reduces a session to its steps. Requests that were rewritten count for the text that was run.

    Turns without a word are left out: nothing can be learned of them, and nothing rewritten to them.

    Args:
        session: to be reduced.
        evidence: what models have said of it.
    """
    previous = (None, *session.turns)
    spoken = [
        (position, turn, text, question_before(turn, before))
        for position, (turn, before) in enumerate(zip(session.turns, previous, strict=False))
        if (text := normalise(turn.executed))
    ]
    positions = [position for position, *_ in spoken]
    outcomes = judge_turns([turn for _, turn, _, _ in spoken])
    if evidence.links is not None:
        outcomes = judged_by_links(outcomes, evidence.links, positions, evidence.rule)
    outcomes = judged_by_defects(outcomes, evidence.defects, positions)
    steps = []
    before: TurnEvent | None = None  # where this is a second try of it
    for i, ((_, turn, text, question), outcome) in enumerate(zip(spoken, outcomes, strict=True)):
        asr, nlu = logged_confidences(turn)
        steps.append(
            ChainStep(
                text,
                " ".join(turn.executed.split()),
                interpretation_of(turn),
                confidence_band(value_of(understanding_confidence(asr, nlu))),
                outcome.success,
                outcome.failure,
                outcome.goes_on,
                question,
                _told(turn, question) if question else "",
                outcome.reason in VISIBLE_FAILURES,
                _said(turn, text),
                before is not None and bool(question_after(before) or question_of(turn.prompt)),
                before is not None and _repeats(text, before),
                NOT_KNOWN if asr is None else confidence_band(asr),
                NOT_KNOWN if nlu is None else confidence_band(nlu),
                outcome.reason == "unordered"
                and (outcome.failure == 1 or is_similar(turn, spoken[i + 1][1])),
            )
        )
        before = turn if outcome.goes_on == 1 else None
    locales = set(map(locale_key, {turn.locale for turn in session.turns}))
    return SessionSteps(
        session.session_id,
        session.assistant_id,
        session.user_id,
        tuple(steps),
        session.dialogue_id is not None,
        session.start_ms // DAY_MS,
        locales.pop() if len(locales) == 1 else "",
        session.turns[0].person_id or "",
        STEPS_FORM,
    )


def _said(turn: TurnEvent, executed: str) -> str:
    """What was said where something else was run."""
    if turn.executed_text is None:
        return ""
    said = normalise(turn.request.text)
    return said if said != executed else ""


def _repeats(text: str, before: TurnEvent) -> bool:
    """Whether a request repeats what the assistant has said in its response to the one before."""
    told = None if before.response is None else before.response.text
    return bool(told) and f" {text} " in f" {normalise(told or '')} "


def _told(turn: TurnEvent, question: Question) -> str:
    """What the assistant said in its response, unless it only asked again."""
    said = "" if turn.response is None else turn.response.text or ""
    if len(said) > MOST_TOLD:
        said = said[:MOST_TOLD].rpartition(" ")[0]  # half a word could be another one
    sentences = (slot_words(sentence) for sentence in beside_question(said, question))
    return f" {BETWEEN_SENTENCES} ".join(filter(None, sentences))


def confidence_band(confidence: float | None) -> int:
    """The band of a confidence; unknown is in the last one."""
    if confidence is None:
        return len(CONFIDENCE_BANDS)
    return bisect_right(CONFIDENCE_BANDS, confidence)
