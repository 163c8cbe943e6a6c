"""Judged rows: what was said of a rewrite by what became of the requests that it was run for."""

from typing import Literal

from msgspec import Struct

from rewriting.table.rewrite import RewriteId

RowState = Literal["live", "blocked"]
"""Served; withdrawn for how it fares."""

StateReason = Literal["proven", "not_judged", "undecided", "does_worse", "fails_lately", "target_ceased"]
"""Why a row is live: it has proved itself, too few have judged it, or they are not agreed. Why it is blocked:
it does worse than what was said, its last runs failed, or its target is met no more."""


class JudgedRow(Struct, frozen=True, kw_only=True):
    """A row that the guards of meaning let through, and how it fares."""

    rewrite_id: RewriteId
    source_text: str  # normalised
    locale: str  # empty: any
    target_text: str  # normalised
    state: RowState
    reason: StateReason
    said_requests: int  # of those who judge, run as they were said; each user's last ones alone
    said_success: int  # of these
    run_requests: int  # the same where it was run
    run_success: int
    judges: int  # users who did not make it, for whom it was run
    makers: int  # users who came to the target from the source by second tries
    p_better: float  # probability that it is better than what was said, 0..1
