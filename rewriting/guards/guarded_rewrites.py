"""Guarded rewrites: every pair that the guards of an assistant have judged, in one shape.

A pair that the guards of meaning hold back is a candidate. One that they let through is live, or blocked for
how it fares by users who did not make it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, get_args

from msgspec import Struct
from sqlalchemy import Connection

from labeling.text.normalisation import normalise
from rewriting.guards.judged_rewrites import JudgedRewrite, StateReason, judged_rewrites
from rewriting.guards.reason import RefusalReason
from rewriting.guards.refused_rewrites import RefusedRewrite, digest, refused_rewrites, refused_since
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId
from streams.turn import AssistantId

GuardedState = Literal["candidate", "live", "blocked"]
"""Held back by the guards of meaning; let through; let through, and withdrawn for how it fares."""

GUARDED_STATES: Final[tuple[GuardedState, ...]] = get_args(GuardedState)
"""All of them, in the order in which a pair goes through them."""

_UNKNOWN: Final = 0.5  # probability of being better, where nobody was served a rewrite


class GuardedRewrite(Struct, frozen=True, kw_only=True):
    """A pair of requests, what the guards make of it, and how it fares by users who did not make it."""

    rewrite_id: RewriteId  # that its row has, had or would have
    source: str  # normalised
    target: str  # normalised
    locale: str  # empty: any, or none that is known
    state: GuardedState
    since_ms: int | None  # when it came into its state, milliseconds since 1970; None: before that was noted
    said_success: int  # of `said_requests`, those that were met
    said_requests: int  # of users who judge, run as they were said; each user's last ones alone
    run_success: int  # of `run_requests`, those that were met
    run_requests: int  # the same where it was run
    judges: int  # users who did not make it, for whom it was run
    makers: int  # users who came to the target from the source by second tries; 0 for a candidate
    p_better: float  # probability that it is better than what was said, 0..1; 0.5: nothing is known
    reason: RefusalReason | StateReason  # of several, the first


def judged_as_guarded(row: JudgedRewrite) -> GuardedRewrite:
    """A row that the guards of meaning let through, in the shape of all."""
    same = {
        name: getattr(row, name)
        for name in GuardedRewrite.__struct_fields__
        if name not in ("source", "target")
    }
    return GuardedRewrite(source=row.source_text, target=row.target_text, **same)


def guarded_rewrites(
    connection: Connection, assistant_id: AssistantId, of_id: RewriteId | None = None
) -> list[GuardedRewrite]:
    """What the guards of an assistant made of pairs when its chain was last solved.

    Args:
        connection: to the database.
        assistant_id: whose.
        of_id: only the pairs of the row with this id.

    Returns:
        Each target of a row once, sorted by source, locale and target.
    """
    judged = judged_rewrites(connection, assistant_id, of_id)
    known = {row.key for row in judged}
    since = refused_since(connection, assistant_id)
    found = [judged_as_guarded(row) for row in judged]
    for pair in refused_rewrites(connection, assistant_id, of_id):
        key = (pair.rewrite_id(assistant_id), digest(pair.target_text))
        # A target that is understood in several ways may be let through in one of them.
        if key not in known:
            found.append(_candidate(key[0], pair, since.get(key)))
    return sorted(found, key=lambda one: (one.source, one.locale, one.target))


def guarded_as(connection: Connection, row: Rewrite) -> list[GuardedRewrite]:
    """What the guards make of the pair of a row now; nothing of one that no chain has made.

    A row for all locales is told by each of them where it is not served in all.
    """
    target = normalise(row.target_text)
    found = guarded_rewrites(connection, row.assistant_id, row.rewrite_id)
    if not found and row.scope == GLOBAL and not (row.locale or row.question):
        found = [
            one for one in guarded_rewrites(connection, row.assistant_id) if one.source == row.source_text
        ]
    return [one for one in found if one.target == target]


def counts_by_guarded_state(guarded: Iterable[GuardedRewrite]) -> Counter[GuardedState]:
    """How many pairs are in each state, those with none too."""
    counts = Counter(one.state for one in guarded)
    return Counter({state: counts[state] for state in GUARDED_STATES})


def _candidate(key: RewriteId, pair: RefusedRewrite, since_ms: int | None) -> GuardedRewrite:
    return GuardedRewrite(
        rewrite_id=key,
        source=pair.source_text,
        target=pair.target_text,
        locale=pair.locale,
        state="candidate",
        since_ms=since_ms,
        said_success=0,
        said_requests=0,
        run_success=0,
        run_requests=0,
        judges=0,
        makers=0,
        p_better=_UNKNOWN,
        reason=pair.reasons[0],
    )
