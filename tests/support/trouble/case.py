"""Cases: small logs of trouble, and what may be served after they were learned."""

from dataclasses import dataclass, field
from typing import Any, Literal

Turn = dict[str, Any]
"""A turn event as the contract has it."""

Understanding = Literal["slots", "intents", "none"]
"""What the assistant logs of what it understood: intents with slots, intents alone, or nothing."""


def plain(text: str) -> str:
    """A text in small letters, one space between words: how targets are compared.

    >>> plain("Set the  Freezer to -18")
    'set the freezer to -18'
    """
    return " ".join(text.casefold().split())


@dataclass(frozen=True)
class Asked:
    """A request after the log was learned, and what may be served for it; give exactly one of the three."""

    text: str
    must_be: frozenset[str] = frozenset()
    nothing: bool = False
    one_of_or_nothing: frozenset[str] = frozenset()
    locale: str | None = None
    prompt: str | None = None
    confidence: float | None = None  # of the recogniser, 0..1

    def __post_init__(self) -> None:
        if sum((bool(self.must_be), self.nothing, bool(self.one_of_or_nothing))) != 1:
            raise ValueError(f"{self.text!r} needs exactly one of must_be, nothing and one_of_or_nothing")
        for name in ("must_be", "one_of_or_nothing"):
            object.__setattr__(self, name, frozenset(map(plain, getattr(self, name))))

    def allows(self, served: str | None) -> bool:
        """Whether this may be served; a text that only repeats the request is no rewrite."""
        got = None if served is None or plain(served) == plain(self.text) else plain(served)
        if self.must_be:
            return got in self.must_be
        return got is None or got in self.one_of_or_nothing

    @property
    def wanted(self) -> str:
        """What may be served, in words."""
        if self.must_be:
            return " or ".join(map(repr, sorted(self.must_be)))
        return " or ".join([*map(repr, sorted(self.one_of_or_nothing)), "nothing"])


@dataclass(frozen=True)
class Case:
    """A log, and the requests that are asked after it."""

    name: str
    letter: str  # class of the trouble, A to K
    language: str
    understanding: Understanding
    harmful: bool  # False: the twin, whose correction must be served
    turns: tuple[Turn, ...]
    asked: tuple[Asked, ...]
    may_be_refused: bool = field(default=False)  # whether a reader may refuse the log with a reason
    grown_contract: bool = field(default=False)  # whether turns have fields that version 1 had not at first

    @property
    def with_nlu(self) -> bool:
        """Whether the log holds any understanding."""
        return self.understanding != "none"
