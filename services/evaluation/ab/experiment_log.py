"""The log of an experiment as arrays: who was in which arm, and what each turn adds to each measure."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct

from labeling.text.outcome import judge_turns
from services.evaluation.ab.estimate import UserSums
from services.evaluation.ab.measures import MEASURES, MeasureName, SeenTurn
from services.evaluation.ab.people import people
from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.errors import ExperimentError
from streams.session import sessionize
from streams.turn import TurnEvent

DAY_MS = 86_400_000
_NO_ARM, _SEVERAL = -1, -2


class LeftOut(Struct, frozen=True, kw_only=True):
    """What of the log is not compared, and what is counted though something is amiss with it."""

    users_in_several_arms: int  # left out
    users_without_arm: int  # left out: none of their turns since the start has an arm
    turns_without_arm: int  # since the start, of users in one arm: counted with it
    rewritten_before: int  # turns before the start, of users in one arm: taken as they are
    rewritten_in_control: int  # turns since the start


class ExperimentLog(Struct, frozen=True, kw_only=True):
    """Turns of users who were in one arm, in the order of time: (turns,) each, or (turns, measures)."""

    arms: tuple[str, ...]  # control first, then by name
    since_ms: int
    until_ms: int  # time of the last turn
    user: Ints
    ts_ms: Ints
    parts: Floats
    wholes: Floats
    arm_of_user: Ints  # (users,) number of the arm; negative: left out
    left_out: LeftOut

    @classmethod
    def of(
        cls, turns: Sequence[TurnEvent], *, control: str, gap_ms: int, since_ms: int | None = None
    ) -> "ExperimentLog":
        """Reads the turns of one assistant.

        Args:
            turns: of users in all arms, in any order; those before the experiment too.
            control: the arm that the others are compared with.
            gap_ms: as for `sessionize`.
            since_ms: start of the experiment; by default the first turn that has an arm.

        Raises:
            ExperimentError: there is no experiment, or nobody in control or in any other arm.
        """
        seen = [
            SeenTurn(turn, outcome, turn is session.turns[-1])
            for session in sessionize(turns, gap_ms)
            for turn, outcome in zip(session.turns, judge_turns(session.turns), strict=True)
        ]
        seen.sort(key=lambda one: one.turn.ts_ms)
        with_arm = [one.turn.ts_ms for one in seen if one.turn.arm]
        if not with_arm:
            raise ExperimentError(
                f"none of {len(seen):,} turns has an arm: turns of an experiment have the field `arm` of the "
                "lookup's answer"
            )
        since_ms = min(with_arm) if since_ms is None else since_ms
        user, users = people(one.turn for one in seen)
        ts_ms = np.array([one.turn.ts_ms for one in seen], dtype=np.int64)
        names = sorted({one.turn.arm or "" for one in seen if one.turn.arm and one.turn.ts_ms >= since_ms})
        arms = (control, *(name for name in names if name != control))
        numbers = {name: number for number, name in enumerate(arms)}
        arm = np.array([numbers.get(one.turn.arm or "", _NO_ARM) for one in seen], dtype=np.int64)
        arm[ts_ms < since_ms] = _NO_ARM
        arm_of_user = _arms_of_users(user, users, arm)
        _require_both(arms, names, arm_of_user, control)

        def added(of: str) -> Floats:
            columns = (map(getattr(measure, of), seen) for measure in MEASURES)
            return np.stack([np.fromiter(one, np.float64, len(seen)) for one in columns], axis=1)

        parts = added("part")
        since, counted = ts_ms >= since_ms, arm_of_user[user] >= 0
        rewritten = parts[:, _number("rewritten")] > 0
        left_out = LeftOut(
            users_in_several_arms=int((arm_of_user == _SEVERAL).sum()),
            users_without_arm=int((arm_of_user == _NO_ARM).sum()),
            turns_without_arm=int((counted & since & (arm < 0)).sum()),
            rewritten_before=int((counted & ~since & rewritten).sum()),
            rewritten_in_control=int(((arm_of_user[user] == 0) & since & rewritten).sum()),
        )
        return cls(
            arms=arms,
            since_ms=since_ms,
            until_ms=int(ts_ms.max()),
            user=user[counted],
            ts_ms=ts_ms[counted],
            parts=parts[counted],
            wholes=added("whole")[counted],
            arm_of_user=arm_of_user,
            left_out=left_out,
        )

    def users_of(self, arm: str) -> Bools:
        """Who was in an arm: (users,)."""
        return np.asarray(self.arm_of_user == self.arms.index(arm), dtype=np.bool_)

    def sums(self, measure: MeasureName) -> dict[str, UserSums]:
        """A measure of the users of each arm, by the whole log."""
        *_, (_, last) = self.running_sums(measure, days=False)
        return last

    def running_sums(
        self, measure: MeasureName, *, days: bool = True
    ) -> Iterator[tuple[str, dict[str, UserSums]]]:
        """A measure of each arm as the log was at the end of each day (UTC), with the users seen by then.

        Args:
            measure: its name.
            days: at the end of each; else of the last one alone.

        Yields:
            The day, `YYYY-MM-DD`, and the sums by arm.
        """
        users, number = len(self.arm_of_user), _number(measure)

        def by_user(turns: slice) -> Floats:
            user = self.user[turns]
            columns = (self.parts[turns, number], self.wholes[turns, number], None)
            return np.array([np.bincount(user, column, users) for column in columns], dtype=np.float64)

        start = int(np.searchsorted(self.ts_ms, self.since_ms))
        before, running = by_user(slice(0, start)), np.zeros((3, users))
        last = self.until_ms // DAY_MS
        for day in range(self.since_ms // DAY_MS if days else last, last + 1):
            end = int(np.searchsorted(self.ts_ms, (day + 1) * DAY_MS))
            running += by_user(slice(start, end))
            start = end
            part, whole, turns = running
            present = {arm: self.users_of(arm) & (turns > 0) for arm in self.arms}
            sums = {
                arm: UserSums(
                    part=part[there],
                    whole=whole[there],
                    part_before=before[0, there],
                    whole_before=before[1, there],
                )
                for arm, there in present.items()
            }
            yield datetime.fromtimestamp(day * DAY_MS / 1000, UTC).date().isoformat(), sums

    def turns_of(self, arm: str, *, before: bool = False) -> int:
        """Turns of the users of an arm in the experiment, or before it."""
        period = (self.ts_ms < self.since_ms) == before
        return int((self.users_of(arm)[self.user] & period).sum())


def _arms_of_users(user: Ints, users: int, arm: Ints) -> Ints:
    """The arm of each user, (users,)."""
    found = np.full(users, _NO_ARM, dtype=np.int64)
    inside = arm >= 0
    pairs = np.unique(np.stack([user[inside], arm[inside]], axis=1), axis=0)
    found[pairs[:, 0]] = pairs[:, 1]
    found[np.bincount(pairs[:, 0], minlength=users) > 1] = _SEVERAL
    return found


def _require_both(arms: Sequence[str], names: Sequence[str], arm_of_user: Ints, control: str) -> None:
    if control not in names:
        there = ", ".join(names) or "none since the start of the experiment"
        raise ExperimentError(f"no turn is in the arm {control!r}: name the control arm; there are: {there}")
    if len(arms) == 1:
        raise ExperimentError(f"all turns are in the arm {control!r}: there is no arm to compare it with")
    for number, name in enumerate(arms):
        if not (arm_of_user == number).any():
            raise ExperimentError(
                f"each user of the arm {name!r} was in another arm too, so nobody is left to compare: an "
                "experiment keeps a user in one arm"
            )


def _number(name: MeasureName) -> int:
    return next(number for number, measure in enumerate(MEASURES) if measure.name == name)
