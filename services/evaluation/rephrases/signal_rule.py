"""A baseline without learning: the rephrase rule of a published set of dialogue signals, in words of our own.

A request says the one before again if it holds, or is nearly, a phrase with which people correct, rephrase or
ask to clarify; or else if both are long enough and share most of their content words. The rule was made for
long typed messages in English: short commands are below its least lengths.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from labeling.text.normalisation import normalise
from labeling.turns.features import seconds_between
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.turn_pair import MOST_COMPARED
from streams.turn import TurnEvent

CORRECTIONS = (
    "no i meant",
    "i actually meant",
    "what i meant was",
    "thats not what i said",
    "thats not what i asked",
    "thats not what i wanted",
    "thats not right",
    "thats wrong",
    "you got it wrong",
    "you misunderstood",
    "you misheard me",
    "i didnt say that",
    "i didnt ask for that",
    "not that one",
    "no i said",
    "i said",
    "wrong one",
)
REPHRASINGS = (
    "let me rephrase",
    "let me say it differently",
    "let me try again",
    "in other words",
    "what im trying to say is",
)
CLARIFICATIONS = (
    "i dont understand",
    "i dont get it",
    "what do you mean",
    "what does that mean",
    "that makes no sense",
    "can you clarify",
    "could you explain that",
    "can you repeat that",
    "can you say that again",
)
"""Phrases, normalised; tried in this order."""

CONFIRMATIONS = frozenset(
    "yes yeah yep yup ok okay sure right correct exactly perfect great fine thanks".split()
)
"""A request that begins with one of these agrees; it does not try again."""

STOP_WORDS = frozenset(
    "a an and are as at be but by can could do does for from have i id im in is it its me my of on or please "
    "so some that the then there this to us want was we what will with would you your".split()
)

LEAST_JACCARD = 0.65  # of groups of three characters
LEAST_COSINE = 0.6  # of counts of words
LEAST_WORDS = 3
LEAST_CONTENT_WORDS = 4
MOST_NEW_WORDS = 0.5  # share of the content words of the later request
LEAST_OVERLAP = 0.75  # shared content words, of the request that has fewer
"""The published limits."""


class SignalRule:
    """A `RephraseDetector`; the score of each link is 1."""

    def __init__(self, settings: RephraseSettings) -> None:
        self._window_s = settings.window_s

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """Links to the request before, where the rule holds."""
        return [
            [
                RephraseLink(source, source + 1, 1.0)
                for source, (before, turn) in enumerate(pairwise(turns))
                if (seconds_between(before, turn) or 0) <= self._window_s
                and says_again(before.request.text, turn.request.text)
            ]
            for turns in sessions
        ]


def says_again(before: str, text: str) -> bool:
    """Whether the rule takes a request for a rephrase of the one before it.

    >>> says_again("play maj and dragons", "no i said play imagine dragons")
    True
    >>> says_again("play maj and dragons", "play imagine dragons")
    False
    """
    words = normalise(text[:MOST_COMPARED]).split()
    phrases = (*CORRECTIONS, *REPHRASINGS, *CLARIFICATIONS)
    if words and any(_holds(words, phrase) for phrase in phrases):
        return True
    return _overlaps(normalise(before[:MOST_COMPARED]).split(), words)


def _holds(words: Sequence[str], phrase: str) -> bool:
    """Whether a phrase occurs among the words, or is much like all of them."""
    text = " ".join(words)
    if f" {phrase} " in f" {text} ":
        return True
    groups, others = _groups_of_three(text), _groups_of_three(phrase)
    if len(groups & others) >= LEAST_JACCARD * len(groups | others):
        return True
    return _cosine(Counter(words), Counter(phrase.split())) >= LEAST_COSINE


def _overlaps(before: Sequence[str], words: Sequence[str]) -> bool:
    if min(len(before), len(words)) < LEAST_WORDS or words[0] in CONFIRMATIONS:
        return False
    old, new = set(before) - STOP_WORDS, set(words) - STOP_WORDS
    if min(len(old), len(new)) < LEAST_CONTENT_WORDS:
        return False
    if len(new - old) > MOST_NEW_WORDS * len(new):
        return False
    return len(old & new) >= LEAST_OVERLAP * min(len(old), len(new))


def _groups_of_three(text: str) -> set[str]:
    padded = f" {text} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def _cosine(words: Counter[str], others: Counter[str]) -> float:
    product = sum(count * others[word] for word, count in words.items())
    lengths = sum(count**2 for count in words.values()) * sum(count**2 for count in others.values())
    return float(product / lengths**0.5) if lengths else 0.0
