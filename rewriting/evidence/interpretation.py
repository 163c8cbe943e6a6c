"""Interpretations: the states of the chain, what the assistant understood rather than what was said."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NewType

from labeling.text.normalisation import normalise
from labeling.text.rewritten_request import is_rewritten
from streams.turn import TurnEvent

Interpretation = NewType("Interpretation", str)

_LIGHT_WORDS = frozenset({"a", "an", "the", "my", "to", "of", "for", "on", "in", "at", "please"})
"""Words that do not tell two slot values apart: "the kitchen" and "kitchen" are one place."""

_TEXT_ALONE = "text:"

_VALUES_REMEMBERED = 16_384  # about 4 MB: the values that users name again and again

_NAMES_REMEMBERED = 4_096  # of domains, intents and slots

_SEPARATORS = str.maketrans({"|": " ", ";": " ", "=": " "})


def interpretation_of(turn: TurnEvent) -> Interpretation:
    """The best hypothesis of what was run as `domain|intent|slot=value;slot=value`, slots sorted.

    Where the log has no understanding, the normalised text that was run, as `text:...`.
    """
    if not turn.nlu:
        return Interpretation(f"{_TEXT_ALONE}{normalise(turn.executed)}")
    best = turn.nlu[0]
    return understood_as(best.domain, best.intent, ((slot.name, slot.value) for slot in best.slots))


def interpretation_as_said(turn: TurnEvent) -> Interpretation:
    """What was made of what was said; of a request that was rewritten its words alone: nobody knows it."""
    if is_rewritten(turn):
        return Interpretation(f"{_TEXT_ALONE}{normalise(turn.request.text)}")
    return interpretation_of(turn)


def understood_as(domain: str | None, intent: str, slots: Iterable[tuple[str, str | None]]) -> Interpretation:
    """The interpretation with this domain, intent and these slots (name, value), in any order.

    >>> understood_as("music", "play", [("song", "Radio Ga Ga"), ("artist", "the Queen")])
    'music|play|artist=queen;song=radio ga ga'
    """
    named = sorted(f"{_name(name)}={_value(value or '')}" for name, value in slots)
    return Interpretation(f"{_name(domain or '')}|{_name(intent)}|{';'.join(named)}")


def is_understood(interpretation: str) -> bool:
    """Whether it came from an understanding, not from the text alone."""
    return not interpretation.startswith(_TEXT_ALONE)


@lru_cache(_NAMES_REMEMBERED)
def _name(name: str) -> str:
    return name.translate(_SEPARATORS)


def slots_of(interpretation: str) -> tuple[tuple[str, str], ...]:
    """The slots as pairs of name and value, sorted; none where the log has no understanding.

    >>> slots_of("music|play|artist=queen;song=radio ga ga")
    (('artist', 'queen'), ('song', 'radio ga ga'))
    """
    _, _, slots = interpretation.rpartition("|")
    pairs = (slot.partition("=") for slot in slots.split(";") if "=" in slot)
    return tuple((name, value) for name, _, value in pairs)


def told_by(interpretation: Interpretation, text: str) -> Interpretation:
    """The interpretation with those slots alone whose values a text says: for rows that others may read.

    What the assistant has put there beside the words, such as the number that it found for a name, may be one
    user's own. Where the log has no understanding, it is the text.

    Args:
        interpretation: of the text.
        text: normalised, of which enough users are known to have said it.

    >>> told_by(Interpretation("phone|call|contact=mum;number=079 1234"), "call my mum")
    'phone|call|contact=mum'
    """
    if not is_understood(interpretation):
        return Interpretation(f"{_TEXT_ALONE}{text}")
    said = f" {slot_words(text)} "
    kept = (f"{name}={value}" for name, value in slots_of(interpretation) if f" {value} " in said)
    understood, _, _ = interpretation.rpartition("|")
    return Interpretation(f"{understood}|{';'.join(kept)}")


def slot_words(value: str) -> str:
    """The words that tell a value from others; all of them if there are no others.

    >>> slot_words("the centre of town")
    'centre town'
    """
    words = normalise(value).split()
    return " ".join([word for word in words if word not in _LIGHT_WORDS] or words)


_value = lru_cache(_VALUES_REMEMBERED)(slot_words)
