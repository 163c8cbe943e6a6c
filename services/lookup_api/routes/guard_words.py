"""What the guards make of a pair of requests, in sentences that an operator can read out."""

from collections.abc import Mapping, Sequence
from typing import Final

from rewriting.guards.guarded_rewrites import GuardedRewrite, GuardedState
from rewriting.guards.judged_rewrites import StateReason
from streams.turn_time import minute_of

STATE_MEANINGS: Final[Mapping[StateReason, str]] = {
    "proven": "It is clearly better than the request as it was said, and mostly right.",
    "undecided": "Enough users have judged it, but they do not settle whether it is better.",
    "not_judged": "Too few users who did not make it have been served it.",
    "does_worse": "It is hardly better than the request as it was said, or hardly ever right.",
    "fails_lately": "Most of the last requests that it was run for failed.",
    "target_ceased": "Its target, which used to succeed, succeeds no more.",
}
"""What each reason says of a row."""

_STATE_WORDS: Final[Mapping[GuardedState, str]] = {
    "candidate": "The guards of meaning hold it back",
    "live": "The guards let it serve",
    "blocked": "The guards block it",
}


def guarded_words(guarded: Sequence[GuardedRewrite]) -> tuple[str, ...]:
    """What the guards make of the pair of one row, in each locale where that differs, and how it fares."""
    words = []
    for one in guarded:
        where = f" in the locale {one.locale}" if len(guarded) > 1 and one.locale else ""
        since = "" if one.since_ms is None else f" since {minute_of(one.since_ms)}"
        words.append(f"{_STATE_WORDS[one.state]}{where}{since}: {one.reason}.")
        if one.run_requests:
            words.append(
                f"By the last requests of each user: served {_times(one.run_requests)} for "
                f"{one.judges:,} {'user' if one.judges == 1 else 'users'} who did not make it, "
                f"{one.run_success:,} of them were met; as it was said "
                f"{one.said_success:,} of {one.said_requests:,}; better with probability {one.p_better:.2f}."
            )
    return tuple(words)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"
