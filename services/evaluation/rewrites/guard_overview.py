"""The report on the guards: what they hold back, and how served rows fare, as JSON and as one HTML file."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct
from rich.table import Table

from rewriting.guards.allowed_rewrites import AllowedRewrite
from rewriting.guards.guarded_rewrites import GuardedRewrite, judged_as_guarded
from rewriting.guards.judged_rewrites import JudgedRewrite, JudgedState, StateReason, counts_by_state
from rewriting.guards.reason import RefusalReason
from rewriting.guards.refused_rewrites import RefusedRewrite, counts_by_reason
from services.evaluation.common.report_files import Report, page
from services.lookup_api.routes.guard_words import STATE_MEANINGS
from streams.turn import AssistantId
from streams.turn_time import minute_of

JSON_NAME: Final = "guards.json"

MEANINGS: Final[Mapping[RefusalReason, str]] = {
    "not_said_by_these_users": "Nobody who said the request ever went on to this text.",
    "opposite": "The target negates the request, or asks for its opposite.",
    "number": "The target has another number, sign, operator, unit or currency.",
    "other_name": "The target names another person, place or thing that does not sound alike, and too few "
    "trusted users meant it.",
    "giving_up": "The users gave up: they said what people say who want nothing more.",
    "fragment": "The target is a part of the request, or a correction that cannot stand alone.",
    "answer_to_question": "The target answered a question of the assistant.",
    "echo": "The users repeated the assistant's own words.",
    "locale": "The evidence comes from another locale.",
    "few_people": "Too few users show that the request failed and that they meant this.",
    "new_accounts": "The users are not known for long enough, or for anything else.",
    "sensitive": "The target costs money, opens doors, calls people or destroys data, and too few trusted "
    "users meant it.",
    "private": "The target looks like somebody's number, address or name.",
    "small_share": "Most users who said the request meant something else by it.",
    "no_order": "The log does not tell which of the two requests came first.",
}
"""What each reason says of a pair."""


class HeldBack(Struct, frozen=True):
    """A pair of which the guards make no rewrite."""

    rewrite_id: str  # that the row would have
    source: str
    target: str
    locale: str  # empty: none that is known
    reasons: tuple[RefusalReason, ...]


class RefusedFor(Struct, frozen=True):
    """What is held back for one reason; a pair stands under each of its reasons."""

    reason: RefusalReason
    pairs: int
    shown: tuple[HeldBack, ...]  # the first of them, by source


class JudgedFor(Struct, frozen=True):
    """The rows that are in one state for one reason."""

    state: JudgedState
    reason: StateReason
    rows: int
    shown: tuple[GuardedRewrite, ...]  # the first of them, those with most requests first


class GuardOverview(Struct, frozen=True, kw_only=True):
    """What the guards of an assistant hold back, what is allowed all the same, and how served rows fare."""

    assistant_id: str
    pairs: int  # held back in all
    reasons: tuple[RefusedFor, ...]  # those that occur
    allowed: tuple[AllowedRewrite, ...]
    judged: tuple[JudgedFor, ...]  # states and reasons that occur


def guard_overview(
    assistant_id: AssistantId,
    refused: Sequence[RefusedRewrite],
    allowed: Sequence[AllowedRewrite],
    judged: Sequence[JudgedRewrite],
    *,
    most_shown: int,
) -> GuardOverview:
    """Groups what guards hold back by reason, and the rows that they let through by how they fare.

    Args:
        assistant_id: whose guards.
        refused: as of the last solution of the chain, sorted by source.
        allowed: what operators have approved.
        judged: how rows fare, as of the last solution of the chain, sorted by source.
        most_shown: pairs to show for each reason.
    """
    return GuardOverview(
        assistant_id=assistant_id,
        pairs=len(refused),
        reasons=tuple(
            RefusedFor(
                reason,
                count,
                tuple(
                    HeldBack(
                        pair.rewrite_id(assistant_id),
                        pair.source_text,
                        pair.target_text,
                        pair.locale,
                        pair.reasons,
                    )
                    for pair in [pair for pair in refused if reason in pair.reasons][:most_shown]
                ),
            )
            for reason, count in counts_by_reason(refused).items()
        ),
        allowed=tuple(allowed),
        judged=tuple(
            JudgedFor(state, reason, count, _most_used(judged, state, reason, most_shown))
            for (state, reason), count in counts_by_state(judged).items()
        ),
    )


def _most_used(
    judged: Sequence[JudgedRewrite], state: JudgedState, reason: StateReason, most_shown: int
) -> tuple[GuardedRewrite, ...]:
    rows = [row for row in judged if (row.state, row.reason) == (state, reason)]
    rows.sort(key=lambda row: -row.run_requests)
    return tuple(judged_as_guarded(row) for row in rows[:most_shown])


def guard_report(overview: GuardOverview) -> Report:
    """The overview as a page, and as tables: pairs by what holds them back, rows by how they fare."""
    table = Table()
    table.add_column("reason")
    table.add_column("pairs", justify="right")
    for one in overview.reasons:
        table.add_row(one.reason, f"{one.pairs:,}")
    faring = Table()
    for column in ("state", "reason"):
        faring.add_column(column)
    faring.add_column("rows", justify="right")
    for judged in overview.judged:
        faring.add_row(judged.state, judged.reason, f"{judged.rows:,}")
    html = page(
        "guard_overview.html",
        filters={"minute": minute_of},
        overview=overview,
        meanings=MEANINGS,
        state_meanings=STATE_MEANINGS,
    )
    told = (
        f"{overview.assistant_id}: the guards hold back {overview.pairs:,} pairs, each for all of its reasons"
    )
    return Report(evaluation=overview, html=html, tables=[table, faring], remarks=[told], json_name=JSON_NAME)
