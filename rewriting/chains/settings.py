"""Chain settings: what a mined rewrite must rest on."""

import math

from msgspec import Struct

from rewriting.chains.step import N_BANDS
from rewriting.errors import ChainSettingsError


class ChainSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rewrite must rest on."""

    min_users: int = 2
    """Distinct users who came from the source to the target by second tries: no global rewrite rests on
    fewer. Raised, a rewrite is harder to forge and fewer requests are mended (docs/chains.md has figures)."""

    min_text_users: int = 3
    """Distinct users who have said the source, and who have succeeded with the target's text: what fewer have
    said is private, and appears in no global rewrite."""

    min_requests: int = 3
    """Times the source was said."""

    min_repair_share: float = 0.05
    """Least ratio of the sessions that came from the source to the target by second tries to the times that
    the source was said, 0..1. A request that is said often has such sessions by chance; raised, rewrites of
    what fails only now and then, when it is heard badly, go first."""

    min_odds: float = 0.35
    """Least ratio of success by way of the target to success of the source as it is. The observed success of
    a wrong answer that nobody protested against is not zero, so this is under 1; raised, fewer losses and
    fewer wins."""

    min_share: float = 0.03
    """Least share of the target in all the success that starts at the source, 0..1."""

    min_gain: float = 0.0
    """Least difference of the success rates of the target's text and of the source, 0..1."""

    smoothing: float = 0.5
    """Added to success and to failure of every interpretation (Jeffreys' prior)."""

    band_prior: tuple[float, ...] = (0.0, 0.0, 0.5, 1.0, 2.0, 6.0)
    """Successes as it is that a source is granted beforehand, by confidence band from the lowest: a request
    that was understood surely is right until shown otherwise."""

    band_shrinkage: float = 3.0
    """Requests by which a band borrows from all lower ones, so that one odd request decides nothing."""

    evidence: int = 10
    """Sessions that a rewrite names as its evidence, at most."""

    def __post_init__(self) -> None:
        """Raises `ChainSettingsError`, which is a ValueError too, if a value is out of range."""
        for name in ("min_users", "min_text_users", "min_requests", "evidence"):
            if getattr(self, name) < 1:
                raise ChainSettingsError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("min_repair_share", "min_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ChainSettingsError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
        if not -1 <= self.min_gain <= 1:
            raise ChainSettingsError(f"min_gain is {self.min_gain}; it must be from -1 to 1")
        for name in ("min_odds", "band_shrinkage"):
            _check_at_least_0(name, getattr(self, name))
        if not (self.smoothing > 0 and math.isfinite(self.smoothing)):
            raise ChainSettingsError(f"smoothing is {self.smoothing}; it must be above 0")
        if len(self.band_prior) != N_BANDS:
            raise ChainSettingsError(
                f"band_prior has {len(self.band_prior)} values; give {N_BANDS}, one for each confidence band"
            )
        for value in self.band_prior:
            _check_at_least_0("a value of band_prior", value)


def _check_at_least_0(name: str, value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ChainSettingsError(f"{name} is {value}; it must be 0 or more")
