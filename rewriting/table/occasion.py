"""The occasion of a request: what had been asked, in which locale, and what kind of turn it is.

"any" means another thing after a question than at the start of a dialogue, and "gift" another thing in German
than in English. So a row may hold for some occasions alone, and a lookup says which one it is.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final, Literal, NewType, get_args

from msgspec import Struct

from labeling.text.question import NO_QUESTION, Question, question_before
from streams.turn import TurnEvent

AskedKind = Literal["opening", "answer", "system"]
"""What kind of turn a request is. `system`: it answers something that the assistant said unasked;
`answer`: it answers a question; `opening`: neither."""

TurnKind = Literal["any", "opening", "answer", "system"]
"""The kind of turn that a row holds for."""

TURN_KINDS: Final[tuple[TurnKind, ...]] = get_args(TurnKind)

LocaleKey = NewType("LocaleKey", str)
"""A locale in the form in which locales are compared; locales are the same where their keys are equal."""

ANY_LOCALE: Final = LocaleKey("")
"""No locale that is known; of a row: it holds in every locale."""

ANY_KIND: Final = "any"

LONGEST_LOCALE: Final = 100
"""Characters: twice the longest tag that is in use. Raised, keys of rows can grow with it."""

_TAG: Final = re.compile(r"[a-z0-9]{1,8}(?:-[a-z0-9]{1,8})*")  # the form of all BCP 47 tags, in small letters
_KNOWN_LOCALES: Final = 1_024  # that are compared fast; an assistant has some ten


class Occasion(Struct, frozen=True, kw_only=True, gc=False):
    """What is known of the circumstances of a request before it is run."""

    question: Question = NO_QUESTION  # that had been asked; empty: nothing that is known
    locale: str | None = None
    turn_kind: AskedKind | None = None  # None: not known


class Place(Struct, frozen=True, gc=False):
    """For which locales and kinds of turn a row holds."""

    locale: LocaleKey = ANY_LOCALE
    turn_kind: TurnKind = ANY_KIND

    def wider(self) -> Iterator["Place"]:
        """Those that hold wherever this one does, without this one itself."""
        kinds: tuple[TurnKind, ...] = (self.turn_kind, ANY_KIND)
        places = (Place(locale, kind) for locale in (self.locale, ANY_LOCALE) for kind in kinds)
        yield from (place for place in dict.fromkeys(places) if place != self)


ANYWHERE: Final = Place()


def locale_key(locale: str | None) -> LocaleKey:
    """The form in which a locale is compared; empty where there is none, or it is no BCP 47 tag.

    Case does not matter, nor whether its parts are joined by `-` or `_`. A language is not the same locale as
    the language with a region.

    >>> locale_key("en_GB") == locale_key("EN-gb") != locale_key("en")
    True
    >>> locale_key("English (UK)")
    ''
    """
    return _key(locale) if locale and len(locale) <= LONGEST_LOCALE else ANY_LOCALE


@lru_cache(maxsize=_KNOWN_LOCALES)
def _key(locale: str) -> LocaleKey:
    key = locale.lower().replace("_", "-")
    return LocaleKey(key) if _TAG.fullmatch(key) else ANY_LOCALE


def locale_fault(locale: str | None) -> str | None:
    """What is wrong with a locale that somebody names; None: nothing, or there is none."""
    if not locale or locale_key(locale):
        return None
    shown = locale if len(locale) <= LONGEST_LOCALE else f"{locale[:LONGEST_LOCALE]}…"
    return f"{shown!r} is no BCP 47 language tag: give one such as 'en' or 'en-GB'"


def turn_kind_of(turn: TurnEvent, previous: TurnEvent | None) -> AskedKind:
    """What kind of turn it is.

    Args:
        turn: of a log.
        previous: the turn before it in its session; None: it is the first.
    """
    return kind_of(question_before(turn, previous), system_initiated=bool(turn.system_initiated))


def kind_of(question: Question, *, system_initiated: bool) -> AskedKind:
    """What kind of turn a request is, by what had been asked and who had begun."""
    if system_initiated:
        return "system"
    return "answer" if question else "opening"


def occasion_of(turn: TurnEvent, previous: TurnEvent | None) -> Occasion:
    """The occasion of a logged turn; arguments as for `turn_kind_of`."""
    return Occasion(
        question=question_before(turn, previous),
        locale=turn.locale,
        turn_kind=turn_kind_of(turn, previous),
    )
