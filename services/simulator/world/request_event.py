"""What the event of a request says of how it was heard and understood."""

from random import Random

from services.simulator.world.assistant import Answer
from services.simulator.world.chance import bell
from services.simulator.world.frame import Frame
from services.simulator.world.language_understanding import FALLBACK
from services.simulator.world.recogniser import Heard, Recogniser
from services.simulator.world.user import User
from streams.turn import NluHypothesis, Recognition, Request

MISSPOKEN_RATE = 0.75
"""How often a user's habitual confusion strikes at the first try."""


def heard_from(user: User, recogniser: Recogniser, spoken: str, tries: int, rng: Random) -> Heard:
    """How a user is heard at try number `tries`, from 0."""
    taken_for = user.misspoken.get(spoken)
    if taken_for is not None and rng.random() < MISSPOKEN_RATE / (1 + tries):
        return recogniser.hear_as(spoken, taken_for, rng)
    return recogniser.hear(spoken, tries, rng)


def heard_request(heard: Heard, rng: Random) -> Request:
    """A request as it was heard, with the recogniser's confidences."""
    asr = [Recognition(text=heard.text, confidence=heard.confidence)]
    if heard.alternative is not None:
        lower = round(heard.confidence * (0.3 + 0.6 * rng.random()), 3)
        asr.append(Recognition(text=heard.alternative, confidence=lower))
    return Request(text=heard.text, asr=tuple(asr))


def understanding_noise(rng: Random) -> float:
    """By how much the understanding's confidence is off."""
    return bell(rng, 0, 0.2)


def hypothesis(understood: Frame, answer: Answer, confidence: float, noise: float) -> NluHypothesis:
    """What was understood, and how surely.

    The understanding is surer of names that it knows; it does not know whether they are those meant.

    Args:
        understood: of the text that is run.
        answer: what the assistant did with it.
        confidence: of the recogniser, 0..1.
        noise: `understanding_noise`.
    """
    if understood == FALLBACK:
        surety = 0.35
    elif all(entity.mention == entity.resolved for entity in answer.entities):
        surety = 0.75
    else:
        surety = 0.55
    return NluHypothesis(
        domain=understood.domain,
        intent=understood.intent,
        slots=understood.slots,
        confidence=round(surety + 0.1 * confidence + noise, 3),
    )
