"""Change points: the day from which on a request fares otherwise than before."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final, Literal

from streams.turn import UserId

LEAST_EVIDENCE: Final = 6.0
"""Log likelihood ratio of two rates against one. Raised, a change is seen later; lowered, chance is taken
for one."""

LEAST_DIFFERENCE: Final = 0.4
"""Of the two rates, 0..1."""

FEWEST_USERS: Final = 3
"""For whom it was so before a change, and for whom it is otherwise since."""

LEAST_SHARE: Final = 0.25
"""Ratio of the users for whom it is otherwise since to those for whom it was so before: a few accounts that
come in a day do not outvote all who were content over weeks."""

FEWEST_VOTES: Final = math.ceil(LEAST_EVIDENCE / math.log(2))
"""No fewer can speak for a change so much: at best one half is always so, and the other never."""

ChangeKind = Literal["any", "fall", "rise"]

Votes = Mapping[int, Mapping[UserId, bool]]
"""Day -> user -> whether a thing was so for them on that day."""


def last_change(votes: Votes, kind: ChangeKind = "any") -> int | None:
    """The first day after the last change of how often a thing is so; None: there is none.

    By binary segmentation: the split that the likelihood ratio of two Bernoulli rates against one speaks for
    most, then the same of what comes after it.

    Args:
        votes: of each user one on each day.
        kind: which changes count: a fall is one after which it is less often so.
    """
    if sum(map(len, votes.values())) < FEWEST_VOTES:
        return None
    days = sorted(votes)
    ordered = [votes[day] for day in days]
    start = 0
    while (split := _split(ordered[start:], kind)) is not None:
        if not _is_carried(ordered[: start + split], ordered[start + split :]):
            break
        start += split
    return days[start] if start else None


def _split(votes: Sequence[Mapping[UserId, bool]], kind: ChangeKind) -> int | None:
    """Where a sequence of days falls in two; None: nowhere."""
    cast = list(accumulate(len(by_user) for by_user in votes))
    so = list(accumulate(sum(by_user.values()) for by_user in votes))
    whole = _log_likelihood(so[-1], cast[-1])
    best, found = LEAST_EVIDENCE, None
    for i in range(1, len(votes)):
        n_before, n_after = cast[i - 1], cast[-1] - cast[i - 1]
        so_before, so_after = so[i - 1], so[-1] - so[i - 1]
        fall = so_before / n_before - so_after / n_after
        if {"any": abs(fall), "fall": fall, "rise": -fall}[kind] < LEAST_DIFFERENCE:
            continue
        ratio = _log_likelihood(so_before, n_before) + _log_likelihood(so_after, n_after) - whole
        if ratio >= best:
            best, found = ratio, i
    return found


def _is_carried(before: Sequence[Mapping[UserId, bool]], after: Sequence[Mapping[UserId, bool]]) -> bool:
    """Whether enough users stand for what is so mostly after a change."""
    cast = [so for by_user in after for so in by_user.values()]
    now = 2 * sum(cast) > len(cast)
    for_it = {user for by_user in after for user, so in by_user.items() if so is now}
    against = {user for by_user in before for user, so in by_user.items() if so is not now}
    return len(against) >= FEWEST_USERS and len(for_it) >= max(FEWEST_USERS, LEAST_SHARE * len(against))


def _log_likelihood(so: int, cast: int) -> float:
    """Of votes at their own rate."""
    return sum(part * math.log(part / cast) for part in (so, cast - so) if part)
