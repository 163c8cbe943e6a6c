"""Source evidence: what counts of a source, with the rewrites that were run for it.

Where it fares otherwise than before, as of a song that is known by another name since, what was before counts
no more; as long as nothing has changed, all of it does, however old it is.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from msgspec import Struct

from rewriting.chains.change_point import FEWEST_VOTES, LEAST_DIFFERENCE, last_change
from rewriting.chains.confidence_cell import ConfidenceCell
from rewriting.chains.confidence_guard import CellWays
from rewriting.chains.counts import ChainCounts, SecondTry, TextCounts, TextKey
from rewriting.evidence.exact_count import add_nested_count
from streams.session import SessionId
from streams.turn import UserId

SILENT_SHARE: Final = 0.4
"""Share of the requests that failed of which the log shows nothing, 0..1 (0.37 in a log of a smart home)."""

MOST_FOLLOWED: Final = 5
"""What users went on to that is looked at for a change: what most of them did."""

CEASED: Final = 0.5
"""Success rate below which what was met before a change is met no more, 0..1."""


class SourceEvidence(Struct, frozen=True, kw_only=True):
    """What counts of a source, or of all texts that are understood as it is."""

    keys: Sequence[TextKey]
    since: int | None  # first day that counts; None: all do
    requests: int  # run as they were said
    met: int  # of these
    said: AbstractSet[UserId]  # users who said it, whatever was run
    met_users: AbstractSet[UserId]  # whom it met as it was said
    led_to: Mapping[int, Mapping[SessionId, SecondTry]]  # as in `TextCounts`
    run_met: Mapping[int, Mapping[UserId, int]]  # interpretation -> users whom a rewrite to it met -> times
    met_rate_before: float  # share of the requests before `since` that were met, 0..1
    kept: float  # share of all requests that still count
    met_kept: float  # the same of those that were met
    led_kept: Mapping[int, float]  # the same of those that led to an interpretation

    @property
    def success_rate(self) -> float:
        """Share of the requests that were met as they were said, 0..1."""
        return self.met / self.requests if self.requests else 0.0

    @property
    def has_ceased(self) -> bool:
        """Whether it was met before a change, and mostly is no more."""
        fall = self.met_rate_before - self.success_rate
        return self.since is not None and self.success_rate < CEASED and fall >= LEAST_DIFFERENCE

    @property
    def truly_met(self) -> float:
        """Share of those who were met, 0..1, beyond what a request shows that always fails.

        Known only after a change: before one, whoever does not protest counts as met.
        """
        if self.since is None:
            return 1.0
        return max(self.success_rate - SILENT_SHARE, 0.0) / (1 - SILENT_SHARE)


def source_evidence(
    counts: ChainCounts,
    keys: Sequence[TextKey],
    is_known: Callable[[UserId], bool],
    makers: AbstractSet[UserId],
) -> SourceEvidence:
    """What counts of a source.

    Args:
        counts: of the assistant.
        keys: of the source, or of all texts of one locale that are mostly understood alike.
        is_known: whether a user counts where it is asked if something has changed.
        makers: who went on to the target in question: they say only that the source works.
    """
    texts = [counts.texts[key] for key in keys]
    since = _since(counts, texts, is_known, makers)
    requests = met = ever = met_ever = 0
    said: set[UserId] = set()
    met_users: set[UserId] = set()
    run_met: dict[int, dict[UserId, int]] = {}
    led_to: dict[int, dict[SessionId, SecondTry]] = {}
    led_ever: Counter[int] = Counter()
    for text in texts:
        ever += text.days.requests
        met_ever += sum(text.met_users.values())
        if since is None:
            said |= text.days.users
            met_users |= text.met_users.keys()
        else:
            for user in text.days.users:
                for day, is_met in text.days.of(user):
                    if day >= since:
                        requests += 1
                        met += is_met
                        said.add(user)
                        if is_met:
                            met_users.add(user)
        for target, outcomes in text.run.items():
            number = led_to_by(counts, texts, target)
            for outcome, times in outcomes.items():
                if since is None or outcome.day >= since:
                    said.add(outcome.user_id)
                    if outcome.met and number is not None:
                        add_nested_count(run_met, number, outcome.user_id, times)
        for number, tries in text.led_to.items():
            led_ever[number] += len(tries)
            now = tries
            if since is not None:
                now = {session: tried for session, tried in tries.items() if tried.day >= since}
            if now:
                led_to.setdefault(number, {}).update(now)
    if since is None:
        requests, met = ever, met_ever
    return SourceEvidence(
        keys=keys,
        since=since,
        requests=requests,
        met=met,
        said=said,
        met_users=met_users,
        led_to=led_to,
        run_met=run_met,
        met_rate_before=(met_ever - met) / (ever - requests) if ever > requests else 0.0,
        kept=requests / ever if ever else 1.0,
        met_kept=met / met_ever if met_ever else 1.0,
        led_kept={number: len(led_to.get(number, ())) / times for number, times in led_ever.items()},
    )


def led_to_by(counts: ChainCounts, texts: Sequence[TextCounts], target: str) -> int | None:
    """The interpretation that users came to from texts by a target; None: none came to it."""
    times = Counter(
        number
        for text in texts
        for number, tries in text.led_to.items()
        for tried in tries.values()
        if tried.text == target
    )
    names = counts.interpretations
    return min(times, key=lambda number: (-times[number], names[number])) if times else None


def _since(
    counts: ChainCounts,
    texts: Sequence[TextCounts],
    is_known: Callable[[UserId], bool],
    makers: AbstractSet[UserId],
) -> int | None:
    """The day of the last change: of how often they or their rewrites are met, of where they lead."""
    if not any(text.run for text in texts) and sum(text.days.requests for text in texts) < FEWEST_VOTES:
        return None
    by_all: _Days = {}
    as_said: _Days = {}
    runs: dict[str, _Days] = {}
    went: dict[int, dict[UserId, set[int]]] = {}
    for text in texts:
        for user in filter(is_known, text.days.users):
            for day, is_met in text.days.of(user):
                for votes in (by_all,) if user in makers else (by_all, as_said):
                    _vote(votes, day, user, is_met)
        for target, outcomes in text.run.items():
            for outcome in outcomes:
                if outcome.user_id not in makers and is_known(outcome.user_id):
                    _vote(runs.setdefault(target, {}), outcome.day, outcome.user_id, outcome.met)
        for number, tries in text.led_to.items():
            for tried in tries.values():
                if not tried.after_run and tried.user_id not in makers and is_known(tried.user_id):
                    went.setdefault(tried.day, {}).setdefault(tried.user_id, set()).add(number)
    changes = [last_change(by_all, "rise"), last_change(as_said, "fall")]
    changes += [last_change(run, "fall") for run in runs.values()]
    users: Counter[int] = Counter()
    for by_user in went.values():
        users.update(number for to in by_user.values() for number in to)
    names = counts.interpretations
    for number in sorted(users, key=lambda number: (-users[number], names[number]))[:MOST_FOLLOWED]:
        changes.append(
            last_change({day: {user: number in to for user, to in by.items()} for day, by in went.items()})
        )
    return max((day for day in changes if day is not None), default=None)


_Days = dict[int, dict[UserId, bool]]


def _vote(votes: _Days, day: int, user: UserId, is_met: bool) -> None:
    """Casts the vote of a user on a day: whether they were met each time."""
    by_user = votes.setdefault(day, {})
    by_user[user] = by_user.get(user, True) and is_met


def ways_now(
    ways: Mapping[ConfidenceCell, CellWays], text: TextCounts, evidence: SourceEvidence
) -> dict[ConfidenceCell, CellWays]:
    """The ways to success of a source as far as they still count, with those of requests that were rewritten.

    How surely these were understood is not known apart from what was run: they are spread as the others are.

    Args:
        ways: of all requests that were run as they were said.
        text: the source.
        evidence: what counts of it.
    """
    is_pooled = len(evidence.keys) > 1
    run = {
        number: float(
            sum(tried.after_run or is_pooled for tried in evidence.led_to.get(number, {}).values())
            + sum(evidence.run_met.get(number, {}).values())
        )
        for number in {*evidence.led_to, *evidence.run_met}
    }
    if evidence.since is None and not any(run.values()):
        return dict(ways)
    share_of_pool = text.requests * evidence.kept / max(evidence.requests, 1) if is_pooled else 1.0
    kept = sum(map(len, evidence.led_to.values())) / max(sum(map(len, text.led_to.values())), 1)
    changed = {}
    for cell, counts in text.cells.items():
        way, share = ways.get(cell, _NO_WAYS), share_of_pool * counts.requests / text.requests
        before = {} if is_pooled else way.by_target
        by_target = {
            number: evidence.led_kept.get(number, 1.0) * before.get(number, 0.0)
            + share * run.get(number, 0.0)
            for number in {*before, *run}
        }
        by_others = min(kept, 1.0) * (way.by_any - math.fsum(before.values()))
        changed[cell] = CellWays(by_target, by_others + math.fsum(by_target.values()), way.error)
    return changed


_NO_WAYS = CellWays({}, 0.0, 0.0)
