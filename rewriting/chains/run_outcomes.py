"""Run outcomes: what became of the requests that a rewrite was run for, and whether it may go on.

A row goes where its target has gone, such as a station that is closed, or where it does worse than the
request as it was said. The users who made it are no judges of that: the failures that they went on from are
what made it, and who plants a row is content with it. Nor are accounts that do little else.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from rewriting.chains.counts import RunOutcome
from rewriting.evidence.beta_posterior import BetaPosterior
from streams.turn import UserId

LATEST_RUNS: Final = 10
"""Requests by which a rewrite is judged whose target may be gone: the last ones, of whole days. Raised, it
stays for longer; lowered, a bad day takes a good one away."""

FEWEST_FAILED: Final = 3

MOSTLY_FAILS: Final = 0.15
"""Probability that most of these are met, at or below which it is gone, 0..1."""

MOST_OF_A_USER: Final = 2
"""Requests of one user that count where a rewrite is compared with what was said. Raised, one user decides;
lowered, what is said by few is never judged."""

FEWEST_JUDGES: Final = 3
FEWEST_JUDGED: Final = 4
"""Users, and requests of theirs, by which a rewrite is compared."""

ORDINARY_SESSIONS: Final = 3
"""Of a judge, about other things than the pair in question."""

LEAST_BETTER: Final = 0.05
"""Probability that a rewrite is better than what was said, at or below which it goes, 0..1."""

SURELY: Final = 0.9
"""The same from which it has proved itself, and needs no more of those who made it."""


def fails_lately(run: Mapping[RunOutcome, int], is_known: Callable[[UserId], bool]) -> bool:
    """Whether most of the last requests that a rewrite was run for have surely failed, and visibly.

    Where hardly any user is known, all count.

    Args:
        run: how requests ended that it was run for -> times.
        is_known: whether a user is.
    """
    known = {user for user in {outcome.user_id for outcome in run} if is_known(user)}
    counted = [outcome for outcome in run if outcome.user_id in known or len(known) < FEWEST_JUDGES]
    failed, all_of_them, day = 0, 0, 0
    for outcome in sorted(counted, key=lambda outcome: -outcome.day):
        if all_of_them >= LATEST_RUNS and outcome.day < day:
            break
        day = outcome.day
        all_of_them += run[outcome]
        failed += outcome.failed * run[outcome]
    surely = BetaPosterior(all_of_them - failed, failed).above(0.5) <= MOSTLY_FAILS
    return failed >= FEWEST_FAILED and surely


class RunVerdict(Struct, frozen=True):
    """What users who did not make a rewrite say of it by what became of their requests."""

    run: BetaPosterior  # where it was run
    said: BetaPosterior  # where the request was run as it was said
    judges: int  # users for whom it was run
    fails_lately: bool  # by all who are known, makers included

    @property
    def is_judged(self) -> bool:
        """Whether enough of them were served it."""
        return self.judges >= FEWEST_JUDGES and self.run.trials >= FEWEST_JUDGED

    @property
    def does_worse(self) -> bool:
        """Whether it is hardly better than the request as it was said, or hardly ever right."""
        return self.is_judged and (
            self.run.above_other(self.said) <= LEAST_BETTER or self.run.above(0.5) <= LEAST_BETTER
        )

    @property
    def does_well(self) -> bool:
        """Whether it is surely better than the request as it was said, and mostly right."""
        return self.is_judged and self.run.above_other(self.said) >= SURELY and self.run.above(0.5) >= SURELY


NOT_RUN: Final = RunVerdict(BetaPosterior(0, 0), BetaPosterior(0, 0), 0, False)


def verdict_of(
    run: Mapping[RunOutcome, int],
    said: Mapping[UserId, int],
    met: Mapping[UserId, int],
    is_judge: Callable[[UserId], bool],
    *,
    fails: bool,
) -> RunVerdict:
    """What users say of a rewrite; each counts by their last requests alone.

    Args:
        run: how requests ended that it was run for -> times.
        said: user -> times that they said the request and it was run as it is.
        met: user -> times of these that they were met.
        is_judge: whether a user counts.
        fails: whether its last runs have failed, as `fails_lately`.
    """
    by_user: dict[UserId, list[RunOutcome]] = {}
    for outcome in sorted(run, key=lambda outcome: (-outcome.day, outcome.met, not outcome.failed)):
        if is_judge(outcome.user_id):
            by_user.setdefault(outcome.user_id, []).extend([outcome] * run[outcome])
    judged = [outcome for latest in by_user.values() for outcome in latest[:MOST_OF_A_USER]]
    well = sum(outcome.met for outcome in judged)
    success = failure = 0
    for user, times in said.items():
        if is_judge(user):
            met_times = min(met.get(user, 0), times)
            success += min(met_times, MOST_OF_A_USER)
            failure += min(times - met_times, max(MOST_OF_A_USER - met_times, 0))
    return RunVerdict(
        BetaPosterior(well, len(judged) - well),
        BetaPosterior(success, failure),
        len(by_user),
        fails,
    )
