"""Makes sessions of request steps that have only what a test names."""

from labeling.text.question import NO_QUESTION, Question
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.step import RequestStep, RequestText, SessionRequests
from streams.session import SessionId
from streams.turn import AssistantId, UserId

MINUTE_MS = 60_000


def meaning(text: str) -> Interpretation:
    """Each text has an interpretation of its own."""
    return Interpretation(f"media|play|song={text}")


def step(
    text: str,
    *,
    ts_ms: int = 0,
    met: bool = True,
    confidence: float | None = None,
    question: str = NO_QUESTION,
    interpretation: Interpretation | None = None,
    device: str | None = None,
    run: str = "",
) -> RequestStep:
    """A request that was met, or that its user tried again."""
    return RequestStep(
        text=RequestText(text),
        surface=text,
        interpretation=interpretation or meaning(text),
        ts_ms=ts_ms,
        question=Question(question),
        confidence=confidence,
        asr_confidence=confidence,
        nlu_confidence=None,
        device=device,
        failed=not met,
        success=1.0 if met else 0.0,
        goes_on=0.0 if met else 1.0,
        run=RequestText(run),
    )


def session(user: str, *steps: RequestStep, number: int = 0) -> SessionRequests:
    """A session of a user of the assistant "a"."""
    return SessionRequests(SessionId(f"{user}-{number}"), AssistantId("a"), UserId(user), steps)


def repaired(
    user: str, wrong: str, right: str, *, number: int = 0, ts_ms: int = 0, confidence: float = 0.3
) -> SessionRequests:
    """A user says one thing, which fails, and then another, which is met."""
    first = step(wrong, ts_ms=ts_ms, met=False, confidence=confidence)
    return session(user, first, step(right, ts_ms=ts_ms + 5_000, confidence=0.9), number=number)
