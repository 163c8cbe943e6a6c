"""Experiments whose effect is known: users with chances of their own to meet a defect."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from numpy.random import Generator
from turns import START_MS, turn_event

from services.evaluation.ab.estimate import UserSums
from services.evaluation.common.arrays import Bools, Floats
from streams.turn import Request, Response, TurnEvent

DAY_MS = 86_400_000


class UserWorld(Struct, frozen=True, kw_only=True):
    """Users of two arms, who are the same but for the effect."""

    control: int = 100
    treated: int = 100
    days: int = 10
    days_before: int = 0  # the experiment
    effect: float = 0.0  # on the chance of a defect
    spread: float = 0.1  # standard deviation of users' own chances of a defect around 0.2
    evenness: float = 2.0  # of how active users are: the lower, the more turns a few of them have

    def sums(self, rng: Generator) -> list[tuple[UserSums, UserSums]]:
        """Turns and defects of the treated and of control, by the end of each day."""
        users = self.control + self.treated
        precision = 0.2 * 0.8 / self.spread**2 - 1
        chance = rng.beta(0.2 * precision, 0.8 * precision, users)
        active = rng.gamma(self.evenness, 3 / self.evenness, users)
        treated = np.arange(users) >= self.control
        before = rng.poisson(active * self.days_before)
        defects_before = rng.binomial(before, chance)
        turns = rng.poisson(np.tile(active, (self.days, 1)))
        defects = rng.binomial(turns, np.clip(chance + self.effect * treated, 0, 1))

        def of(whole: Floats, part: Floats, arm: Bools) -> UserSums:
            there = arm & (whole > 0)
            return UserSums(
                part=part[there],
                whole=whole[there],
                part_before=defects_before[there].astype(np.float64),
                whole_before=before[there].astype(np.float64),
            )

        running = zip(
            turns.cumsum(axis=0).astype(np.float64), defects.cumsum(axis=0).astype(np.float64), strict=True
        )
        return [(of(whole, part, treated), of(whole, part, ~treated)) for whole, part in running]


def arm_turns(
    rng: Generator,
    arm: str | None,
    users: Sequence[str],
    *,
    days: range,
    defects: float = 0.2,
    per_day: int = 3,
    **changes: Any,
) -> Iterator[TurnEvent]:
    """Turns of users of an arm, each a session of its own, that fail with a chance.

    Args:
        rng: decides which fail.
        arm: in which the turns are; None: before an experiment.
        users: their ids.
        days: from that of `START_MS` on.
        defects: the chance.
        per_day: turns of each user.
        changes: other values of the fields of the turns.
    """
    for user in users:
        for day in days:
            for number in range(per_day):
                failed = rng.random() < defects
                yield msgspec.structs.replace(
                    turn_event(),
                    event_id=f"{user}-{day}-{number}",
                    user_id=user,
                    ts_ms=START_MS + day * DAY_MS + number * 3_600_000,
                    request=Request(text=f"play song {number}"),
                    response=Response(status="error" if failed else "ok"),
                    arm=arm,
                    **changes,
                )
