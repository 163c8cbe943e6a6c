"""Settings of serving: which share of the users and requests is left as it is, and who is served what."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

from rewriting.errors import ServingSettingsError

CONTROL: Final = "control"
"""The arm whose requests are never rewritten, but for what a user has taught."""

TREATMENT: Final = "treatment"
"""The arm of all users whom no other arm takes: everything is served."""

LONGEST_SALT_BYTES: Final = 64  # of the key of blake2b

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ROUNDING: Final = 1e-9  # what shares that add up to 1 may miss it by


class ArmSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One arm beside `control` and `treatment`."""

    share: float  # of the users, 0..1
    scopes: Literal["global", "all"] = "all"
    """`global`: as if nothing were known of the user, but for what they have taught; `all`: everything."""


class ServingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is served rewrites."""

    off: bool = False  # whether all requests of all assistants are left as they are

    control: float = 0.05
    """Share of the users, 0..1, for whom nothing is rewritten. Raised, the effect of rewriting is known
    sooner, and more users do without it; at 0, only exploration tells what happens without it."""

    exploration: float = 0.01
    """Share of the requests of all other users, 0..1, that are left as they are. Raised, a bad rewrite shows
    up sooner, and more good ones are kept back; at 0, only the control users tell."""

    salt: str = ""
    """Draws users into arms, and requests; the same on every server. Changed, all are drawn anew."""

    arms: Mapping[str, ArmSettings] = {}
    """By name; users whom neither they nor `control` take are in `treatment`."""

    def __post_init__(self) -> None:
        """Raises `ServingSettingsError`, which is a ValueError too, if a value is out of range."""
        for name in ("control", "exploration"):
            _check_share(name, getattr(self, name))
        size = len(self.salt.encode())
        if size > LONGEST_SALT_BYTES:
            raise ServingSettingsError(f"salt has {size} bytes; {LONGEST_SALT_BYTES} is the most")
        for name, arm in self.arms.items():
            if name in (CONTROL, TREATMENT):
                raise ServingSettingsError(
                    f"arms.{name}: there is always an arm of this name; set the share of control by "
                    "`control`; treatment has what the others leave"
                )
            if not _NAME.fullmatch(name):
                raise ServingSettingsError(
                    f"arms: {name!r} is no name of an arm: use lower-case letters, digits, _ and -, first a "
                    "letter, 64 characters at most"
                )
            _check_share(f"arms.{name}.share", arm.share)
        taken = self.control + sum(arm.share for arm in self.arms.values())
        if taken > 1 + _ROUNDING:
            raise ServingSettingsError(f"control and the shares of arms add up to {taken:g}; 1 is the most")


def _check_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise ServingSettingsError(f"{name} is {share}; it must be from 0 to 1")


SERVE_ALL: Final = ServingSettings(control=0, exploration=0)
"""Nothing is kept back from anybody."""
