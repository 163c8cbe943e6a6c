"""Guard settings: what a pair of requests must not be, and what is sensitive."""

import tomllib
from importlib.resources import files
from typing import Final

from msgspec import Struct

from rewriting.errors import GuardSettingsError


class GuardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the users behind a pair must be like, for what it asks."""

    min_likeness: float = 0.5
    """How alike the words must sound or be spelt that stand in each other's place, 0..1, for a pair to be
    plausible by itself. Raised, more pairs need trusted users; lowered, one name passes for another."""

    min_whole_likeness: float = 0.55
    """The same of whole texts, where most of their words differ."""

    min_users: float = 3
    """Users behind a plausible pair; an account that is known for long counts up to one and a half times.
    Raised, a row is harder to forge, and fewer are found."""

    min_visible_share: float = 0.25
    """Least share of the users behind a pair, 0..1, whose request failed visibly: that a request was carried
    out and an alike one followed is never enough by itself. Raised, what fails in silence is not mended."""

    min_trust: float = 20
    """Trust behind a pair that is not plausible by itself: an account that is known for 14 days has 1."""

    min_share: float = 0.15
    """Least share of the users who said the source that went on to the target, 0..1."""

    min_most_share: float = 0.5
    """Least share of the users who went on from the source to anything that went on to the target, 0..1,
    unless it sounds much like the source: not the largest crumb is meant, but what most mean."""

    min_added_share: float = 0.5
    """The same where the target says more than the source: then most must have meant that."""

    min_named_share: float = 0.2
    """The same of a pair that is not plausible by itself, or whose target is sensitive."""

    min_named_odds: float = 0.5
    """Least ratio of those who went on to such a target to those who were content with the source."""

    private_trust: float = 5
    """Trust behind a pair whose target looks private; each account counts 1 at most."""

    def __post_init__(self) -> None:
        """Raises `GuardSettingsError`, which is a ValueError too, if a value is out of range."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            most = 1.0 if name.endswith(("likeness", "share")) else 1e9
            if not 0 <= value <= most:
                raise GuardSettingsError(f"{name} is {value}; it must be from 0 to {most:g}")


_SHIPPED: Final = tomllib.loads((files("rewriting.guards") / "sensitive.toml").read_text("utf-8"))


class SensitiveSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What costs money, opens doors, calls people or destroys data: such targets need far more."""

    domains: tuple[str, ...] = tuple(_SHIPPED["domains"])
    intents: tuple[str, ...] = tuple(_SHIPPED["intents"])  # names, or parts of one
    words: tuple[str, ...] = tuple(_SHIPPED["words"])  # words, or runs of them, of a request
    forbidden: bool = False  # whether rows to such targets are never made, however many users
