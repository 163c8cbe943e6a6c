"""Judged rewrites: how the rows that the guards of meaning let through fared when the chain was last solved.

It is known from what became of the requests that they were run for, of users who did not make them. There
are counts alone: no user is named.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Column, Connection, Double, Integer, Table, Text, delete, select, tuple_

from rewriting.guards.refused_rewrites import digest
from rewriting.table.rewrite import RewriteId
from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import chunks, upsert
from streams.turn import AssistantId

JudgedState = Literal["live", "blocked"]
"""Served; withdrawn for how it fares."""

StateReason = Literal["proven", "not_judged", "undecided", "does_worse", "fails_lately", "target_ceased"]
"""Why a row is live: it has proved itself, too few have judged it, or they are not agreed. Why it is blocked:
it does worse than what was said, its last runs failed, or its target is met no more."""

REASONS_BY_STATE: Final[Mapping[JudgedState, tuple[StateReason, ...]]] = {
    "live": ("proven", "undecided", "not_judged"),
    "blocked": ("does_worse", "fails_lately", "target_ceased"),
}
"""The reasons that there are for each state, in the order in which they are told."""

JUDGED_REWRITES: Final[Table] = assistant_table(
    "judged_rewrites",
    Column("rewrite_id", Text, primary_key=True),  # that the row has, or had
    Column("target_digest", Text, primary_key=True),  # a text can be too long for an index
    Column("source_text", Text, nullable=False),
    Column("target_text", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    Column("said_success", Integer, nullable=False),
    Column("said_requests", Integer, nullable=False),
    Column("run_success", Integer, nullable=False),
    Column("run_requests", Integer, nullable=False),
    Column("judges", Integer, nullable=False),
    Column("makers", Integer, nullable=False),
    Column("p_better", Double, nullable=False),
)

_ROWS_PER_STATEMENT = 1_000


class JudgedRewrite(Struct, frozen=True, kw_only=True):
    """A row that the guards of meaning let through, and how it fares by users who did not make it."""

    rewrite_id: RewriteId
    source_text: str  # normalised
    target_text: str  # normalised
    locale: str  # empty: any
    state: JudgedState
    reason: StateReason
    since_ms: int = 0  # when it came into its state, milliseconds since 1970; 0: it is not stored yet
    said_success: int  # of `said_requests`, those that were met
    said_requests: int  # of users who judge, run as they were said; each user's last ones alone
    run_success: int  # of `run_requests`, those that were met
    run_requests: int  # the same where it was run
    judges: int  # users who did not make it, for whom it was run
    makers: int  # users who came to the target from the source by second tries
    p_better: float  # probability that it is better than what was said, 0..1

    @property
    def key(self) -> tuple[RewriteId, str]:
        """What no two of an assistant share."""
        return self.rewrite_id, digest(self.target_text)


_COLUMNS: Final = [JUDGED_REWRITES.c[name] for name in JudgedRewrite.__struct_fields__]


def counts_by_state(judged: Iterable[JudgedRewrite]) -> Counter[tuple[JudgedState, StateReason]]:
    """How many rows are in each state, by reason; those that occur, in the order in which they are told."""
    counts = Counter((row.state, row.reason) for row in judged)
    told = [(state, reason) for state, reasons in REASONS_BY_STATE.items() for reason in reasons]
    return Counter({key: counts[key] for key in told if counts[key]})


def judged_rewrites(
    connection: Connection, assistant_id: AssistantId, of_id: RewriteId | None = None
) -> list[JudgedRewrite]:
    """How the rows of an assistant fare, sorted by source, locale and target.

    Args:
        connection: to the database.
        assistant_id: whose.
        of_id: only the row with this id.
    """
    rows = JUDGED_REWRITES.c
    query = select(*_COLUMNS).where(rows.assistant_id == assistant_id)
    if of_id is not None:
        query = query.where(rows.rewrite_id == of_id)
    found = [
        JudgedRewrite(**dict(zip(JudgedRewrite.__struct_fields__, row, strict=True)))
        for row in connection.execute(query)
    ]
    return sorted(found, key=lambda row: (row.source_text, row.locale, row.target_text))


def keep_judged(
    connection: Connection,
    assistant_id: AssistantId,
    before: Iterable[JudgedRewrite],
    now: Iterable[JudgedRewrite],
    now_ms: int,
) -> list[JudgedRewrite]:
    """Makes what is stored what is judged now.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose.
        before: what is stored.
        now: what is to be stored, each row and target once, with any `since_ms`.
        now_ms: milliseconds since 1970.

    Returns:
        What is stored by then: a row that stays in its state has been in it since the same time.
    """
    stored = {row.key: row for row in before}
    wanted = {}
    for row in now:
        known = stored.get(row.key)
        since_ms = known.since_ms if known is not None and known.state == row.state else now_ms
        wanted[row.key] = msgspec.structs.replace(row, since_ms=since_ms)
    rows = JUDGED_REWRITES.c
    for some in chunks(sorted(stored.keys() - wanted.keys()), _ROWS_PER_STATEMENT):
        connection.execute(
            delete(JUDGED_REWRITES).where(
                rows.assistant_id == assistant_id, tuple_(rows.rewrite_id, rows.target_digest).in_(some)
            )
        )
    changed = [row for key, row in sorted(wanted.items()) if stored.get(key) != row]
    upsert(connection, JUDGED_REWRITES, [_row(assistant_id, row) for row in changed])
    return list(wanted.values())


def _row(assistant_id: AssistantId, row: JudgedRewrite) -> dict[str, object]:
    key = {"assistant_id": assistant_id, "target_digest": digest(row.target_text)}
    return key | {name: getattr(row, name) for name in JudgedRewrite.__struct_fields__}
