"""Sensitive requests: what costs money, opens doors, calls people or destroys data."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from labeling.text.normalisation import normalise
from labeling.text.wish import phrases
from rewriting.guards.settings import SensitiveSettings

_NAME_PARTS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_PRIVATE: Final = re.compile(r"\d(?:[\s.,:-]*\d){3,}|@|\b(?:www|https?)\b")
_PERSONAL_SLOTS: Final = frozenset(
    {
        *("person", "contact", "contact_name", "first_name", "last_name", "relation"),
        *("email", "email_address", "phone", "phone_number", "address"),
    }
)


def sensitive_kinds(text: str, interpretation: str | None, settings: SensitiveSettings) -> frozenset[str]:
    """For what a request is sensitive: the words, intents and domains of the list that it has.

    Args:
        text: normalised.
        interpretation: `domain|intent|slots`; None or of the text alone: not known.
        settings: the list.
    """
    listed = _listed(settings)
    found = {word for word in phrases(text.split()) if word in listed[0]}
    domain, _, rest = (interpretation or "").partition("|")
    intent = rest.partition("|")[0]
    if rest:
        names = {intent.lower(), *(part.lower() for part in _NAME_PARTS.findall(intent))}
        found |= names & listed[1]
        found |= {domain.lower()} & listed[2]
    return frozenset(found)


def private_parts(text: str, slots: tuple[tuple[str, str], ...]) -> frozenset[str]:
    """What in a text looks private: numbers of four digits and more, addresses, names of people.

    Args:
        text: normalised.
        slots: name and value of what was understood.
    """
    found = {match[0] for match in _PRIVATE.finditer(text)}
    return frozenset(found | {value for name, value in slots if name in _PERSONAL_SLOTS and value})


def tells_private(source: str, target: str, slots: tuple[tuple[str, str], ...]) -> bool:
    """Whether a target has something private that its source does not say; texts normalised.

    Args:
        source: what was said.
        target: what would be run.
        slots: name and value of what is understood of the target.
    """
    return not says_all(source, private_parts(target, slots))


def says_all(text: str, parts: Iterable[str]) -> bool:
    """Whether a normalised text has all these words, or runs of them."""
    return all(f" {part} " in f" {text} " for part in parts)


@lru_cache(maxsize=16)
def _listed(settings: SensitiveSettings) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return (
        frozenset(map(normalise, settings.words)),
        frozenset(intent.lower() for intent in settings.intents),
        frozenset(domain.lower() for domain in settings.domains),
    )
