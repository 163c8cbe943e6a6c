"""Turn outcomes: what a log by itself shows of whether each request of a session was met.

Only what can be observed is used: status, barge-in, termination, explicit feedback, a following rephrase,
and giving up. Each turn's weight of 1 is split into success, failure and going on to the next turn.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, Literal

from msgspec import Struct
from rapidfuzz import fuzz

from streams.turn import TurnEvent

Reason = Literal[
    "accepted",  # the session ends with it or leaves it, and nothing speaks against it
    "praised",
    "rejected",  # negative feedback
    "failed",  # the assistant itself reported that it could not
    "interrupted",  # barge-in
    "ended",  # the user stopped the assistant: met, or given up
    "rephrased",  # the next request says much the same
    "moved_on",  # the next request is about something else: met, or given up
    "unordered",  # the log does not tell which of the next requests came first: met, or given up
]

VISIBLE_FAILURES: Final[frozenset[Reason]] = frozenset({"rejected", "failed", "interrupted"})
"""Reasons that the user or the assistant has shown."""

REPHRASE_SIMILARITY = 0.5
"""Token set ratio, 0..1, from which the next request counts as a second try. Raised, second tries in other
words are taken for new goals; lowered, new goals join the chain."""

UNKNOWN = 0.5
"""Weight of success where a signal speaks for either side: no more is claimed than is seen."""


class TurnOutcome(Struct, frozen=True):
    """How one request ended. The three weights are from 0 to 1 and sum to 1.

    Those of `judge_turns` are 0, 0.5 or 1. Where a detector has judged, they are multiples of 1/64: all are
    binary fractions of few digits, whose sums are exact.

    A request goes on with the whole weight if there is a sign that the next one is a second try.
    """

    success: float
    failure: float
    goes_on: float  # to the next request of the session
    reason: Reason

    @classmethod
    def weighed(cls, success: float, failure: float, goes_on: float, reason: Reason) -> "TurnOutcome":
        """Of weights that were computed: whole ones as integers, as those of `judge_turns` are.

        So outcomes that are equal are stored as the same bytes, however they came about.
        """
        return cls(_whole(success), _whole(failure), _whole(goes_on), reason)


def judge_turns(turns: Sequence[TurnEvent]) -> list[TurnOutcome]:
    """Judges the turns of one session, in order; the last one never goes on.

    A turn without any signal counts as met only if the session ends with it.
    """
    return [_judge(turn, after) for turn, after in zip_longest(turns, turns[1:])]


def _whole(weight: float) -> float:
    return int(weight) if weight in (0, 1) else weight


def _judge(turn: TurnEvent, following: TurnEvent | None) -> TurnOutcome:
    if turn.signals.feedback == "positive":
        return TurnOutcome(1, 0, 0, "praised")
    reason = _visible_failure(turn)
    if following is not None and following.ts_ms == turn.ts_ms:  # no order is made up from ids
        success = UNKNOWN if reason is None else 0
        return TurnOutcome(success, 1 - success, 0, "unordered")
    if reason is not None:
        return TurnOutcome(0, 1, 0, reason) if following is None else TurnOutcome(0, 0, 1, reason)
    if following is None:
        if turn.signals.terminated or _status(turn) in ("cancelled", "unsupported"):
            return TurnOutcome(UNKNOWN, 1 - UNKNOWN, 0, "ended")
        return TurnOutcome(1, 0, 0, "accepted")
    if is_similar(turn, following):
        return TurnOutcome(0, 0, 1, "rephrased")
    if _status(turn) == "unsupported":  # told that it cannot be done, and content with that
        return TurnOutcome(1, 0, 0, "accepted")
    return TurnOutcome(UNKNOWN, 0, 1 - UNKNOWN, "moved_on")


def _visible_failure(turn: TurnEvent) -> Reason | None:
    if turn.signals.feedback == "negative":
        return "rejected"
    if _status(turn) in ("error", "no_result"):
        return "failed"
    if turn.signals.barge_in and not turn.signals.terminated:
        return "interrupted"
    return None


def is_similar(turn: TurnEvent, following: TurnEvent) -> bool:
    """Whether two requests have enough words and letters in common, so that one may rephrase the other.

    What was understood is no sign: requests of one domain follow each other in any dialogue that goes well.
    """
    similarity = fuzz.token_set_ratio(turn.request.text.lower(), following.request.text.lower()) / 100
    return bool(similarity >= REPHRASE_SIMILARITY)


def _status(turn: TurnEvent) -> str | None:
    return None if turn.response is None else turn.response.status
