"""Sample-ratio mismatch: whether the arms have as many users as their shares say.

Where they have not, something other than chance decides who is in the log of which arm, and no difference
between arms can be trusted.
"""

from collections.abc import Mapping

from msgspec import Struct
from scipy.special import chdtrc

from services.errors import SettingsError

THRESHOLD = 0.001
"""Of p. The test is made at every look at every experiment: at 0.05 it would cry wolf in one of twenty."""

_ROUNDING = 1e-6  # of shares that were typed


class ArmUsers(Struct, frozen=True, kw_only=True):
    """How many users an arm has, and would have by its share."""

    arm: str
    users: int
    expected: float


class SampleRatio(Struct, frozen=True, kw_only=True):
    """The test of all arms."""

    arms: tuple[ArmUsers, ...]
    p: float  # chance of counts at least as far off, if the shares are true
    mismatch: bool


def sample_ratio(users: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio:
    """Pearson's chi-square test of the users of arms against the arms' shares.

    Args:
        users: of each arm; those in several arms are in none.
        shares: of users, of each arm, also of those that nobody is in.

    Raises:
        SettingsError: the shares are not those of the arms, or do not sum to 1.
    """
    if unknown := sorted(users.keys() - shares.keys()):
        raise SettingsError(
            f"--share: the log has users in the arm {unknown[0]!r}, which has no share: give "
            f"--share {unknown[0]}=SHARE too"
        )
    if any(share <= 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > _ROUNDING:
        given = ", ".join(f"{arm}={share:g}" for arm, share in shares.items())
        raise SettingsError(f"--share: {given}: give the share of each arm, over 0, so that they sum to 1")
    total = sum(users.values())
    arms = tuple(
        ArmUsers(arm=arm, users=users.get(arm, 0), expected=share * total) for arm, share in shares.items()
    )
    distance = sum((one.users - one.expected) ** 2 / one.expected for one in arms) if total else 0.0
    p = float(chdtrc(len(arms) - 1, distance)) if len(arms) > 1 else 1.0
    return SampleRatio(arms=arms, p=p, mismatch=p < THRESHOLD)
