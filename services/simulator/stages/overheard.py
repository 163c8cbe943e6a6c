"""What a device hears that is not for it: talk, broadcasts, and requests that are made to somebody else."""

from itertools import product
from random import Random

from services.simulator.world.chance import pick

_WHO = ("i", "she", "he", "they", "we", "your brother", "my boss", "the neighbours", "everybody", "nobody")
_WHAT = (
    "said it would be late", "left the keys in the car", "wanted to come along", "never called me back",
    "saw that film last week", "thinks it is too dear", "has been to the doctor", "forgot the milk again",
    "asked about the holidays", "moved to another town", "does not like the colour", "paid for dinner",
)  # fmt: skip
_TAIL = (
    "",
    "",
    "",
    " you know",
    " and then we left",
    " did you hear",
    " as always",
    " i think",
    " after work",
)
_BROADCAST = (
    "and now over to our reporter", "we will be right back after the break", "this week only at half price",
    "what a goal in the last minute", "more on this story at ten", "subscribe to our channel for more",
    "the minister has rejected the claims", "clouds from the west towards evening",
    "call now and save thirty percent", "ladies and gentlemen please welcome",
)  # fmt: skip
_QUESTION = ("do you know", "can you tell me", "tell me", "what do you think", "explain to me")
_MATTER = (
    "why cats purr", "who won the match", "how far the moon is", "what love is", "how to tie a tie",
    "if it is too expensive", "who your brother is", "what he said", "where the keys are", "how old you are",
    "what a goal is", "how much milk i need",
)  # fmt: skip
_BEFORE = ("", "", "could you ", "please ", "honey ", "shall we ", "did you ")
_AFTER = ("", "", " when you leave", " for me", " she said", " later", " or not")

BROADCAST_SHARE = 0.3
"""Of what is overheard and does not look like a request."""


def questions() -> tuple[str, ...]:
    """What users ask an assistant that does not chat: it is for the device, and sounds as if it were not."""
    return tuple(f"{question} {matter}" for matter, question in product(_MATTER, _QUESTION))


def talk(rng: Random) -> str:
    """Something that is not a request."""
    kind = rng.random()
    if kind < BROADCAST_SHARE:
        return pick(rng, _BROADCAST)
    if kind < 0.42:
        return f"{pick(rng, _QUESTION)} {pick(rng, _MATTER)}"
    return f"{pick(rng, _WHO)} {pick(rng, _WHAT)}{pick(rng, _TAIL)}"


def request_to_others(request: str, rng: Random) -> str:
    """A request, as one would make it to a person; at times in the very words that devices understand."""
    return f"{pick(rng, _BEFORE)}{request}{pick(rng, _AFTER)}"
