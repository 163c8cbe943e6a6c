"""Feedback settling: turns carry what their users have said about them since.

An entry with an `event_id` is about the turn of this event, if its user is the user of the turn, or another
account of the person that the turn names. One with a `rewrite_id` alone is about the user's latest turn with
this rewrite in the `REWRITE_WINDOW_MS` before it came. The latest entry about a turn takes the place of
`signals.feedback` in the stored turn.

What the turns carry is a function of the sets of turns and entries: it does not matter which came first.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, bindparam, delete, select, true, update

from rewriting.feedback.store import (
    FEEDBACK,
    NEW,
    PERSON_ACCOUNT,
    RATED_TURN,
    Outcome,
    has_feedback,
)
from streams.session import Session
from streams.stores.database_schema import is_among, upsert
from streams.stores.session_store import (
    name_key,
    seen_events,
    sessions_between,
    sessions_with_events,
    user_key,
)
from streams.turn import AssistantId, EventId, Feedback, TurnEvent, UserId

REWRITE_WINDOW_MS: Final = 86_400_000
"""How long before an entry the turn may lie that its `rewrite_id` is of. Raised, an entry may be about a turn
that its user has forgotten; lowered, what is said the day after is lost."""

AHEAD_MS: Final = 300_000
"""How far the clock of the turns may be ahead of that of the lookup API."""

_COLUMNS = (
    FEEDBACK.c.feedback_id,
    FEEDBACK.c.assistant_id,
    FEEDBACK.c.user_id,
    FEEDBACK.c.event_id,
    FEEDBACK.c.rewrite_id,
    FEEDBACK.c.received_ms,
    FEEDBACK.c.outcome,
    FEEDBACK.c.applied_to,
)


class Unsettled(Struct, frozen=True):
    """Feedback of which it is to be worked out anew what it is about."""

    feedback_ids: frozenset[str]
    turns: frozenset[tuple[AssistantId, EventId]]  # that are to carry what is left of it

    def __bool__(self) -> bool:
        return bool(self.feedback_ids or self.turns)


class Settled(Struct, frozen=True):
    """What has become of feedback."""

    sessions: tuple[Session, ...]  # with turns that carry something else than they are stored with
    outcomes: Counter[tuple[AssistantId, Outcome]]  # entries, those whose outcome is as before left out


class _Entry(Struct, frozen=True):
    """A row of the table, without what was said."""

    feedback_id: str
    assistant_id: AssistantId
    user_id: UserId
    event_id: EventId | None
    rewrite_id: str | None
    received_ms: int
    outcome: str
    applied_to: EventId | None


def unsettled_feedback(
    connection: Connection, turns: Sequence[TurnEvent], *, waiting: bool = True
) -> Unsettled:
    """What is to be settled now that turns come. Reads no session.

    Args:
        connection: in the transaction that stores the turns.
        turns: that are to be stored, or are.
        waiting: also what waits for anybody to settle it, whatever turns it is about.
    """
    if not has_feedback(connection):
        return Unsettled(frozenset(), frozenset())
    ids = _about_turns(connection, turns)
    stale: set[tuple[AssistantId, EventId]] = set()
    if waiting:
        ids.update(connection.scalars(select(FEEDBACK.c.feedback_id).where(FEEDBACK.c.outcome == NEW)))
        rows = connection.execute(
            select(RATED_TURN.c.assistant_id, RATED_TURN.c.event_id).where(RATED_TURN.c.stale == true())
        )
        stale.update((AssistantId(assistant_id), EventId(event_id)) for assistant_id, event_id in rows)
    return Unsettled(frozenset(ids), frozenset(stale))


def leave_to_others(connection: Connection, turns: Sequence[TurnEvent], settled: Unsettled) -> None:
    """Has whoever settles what waits look at feedback about turns that has come since `settled` was read.

    It may have been settled meanwhile, by somebody who could not see the turns yet.

    Args:
        connection: in the transaction that stores the turns, which has the lock of the sessions.
        turns: that are stored.
        settled: what was read before the lock was had.
    """
    if not has_feedback(connection):
        return
    if missed := _about_turns(connection, turns) - settled.feedback_ids:
        of_missed = is_among(connection, FEEDBACK.c.feedback_id, missed)
        connection.execute(update(FEEDBACK).where(of_missed).values(outcome=NEW))


def settle_feedback(connection: Connection, unsettled: Unsettled) -> Settled:
    """Works out which turns feedback is about, and what these carry.

    Args:
        connection: in a transaction that writes, in which the turns are stored, and nobody else changes
            sessions.
        unsettled: from `unsettled_feedback` in the same transaction.

    Returns:
        The sessions with turns that carry something else now: the caller stores them.
    """
    entries = _entries(connection, unsettled.feedback_ids)
    rated: dict[AssistantId, dict[EventId, UserId | None]] = {}  # of whom, where that is known
    for assistant_id, event_id in unsettled.turns:
        rated.setdefault(assistant_id, {})[event_id] = None
    outcomes: Counter[tuple[AssistantId, Outcome]] = Counter()
    changes = []
    for (assistant_id, user_id), said in groupby(
        entries, key=lambda entry: (entry.assistant_id, entry.user_id)
    ):
        of_user = list(said)
        about = _turns_of_entries(connection, assistant_id, user_id, of_user)
        unknown = {
            entry.event_id
            for entry in of_user
            if entry.event_id is not None and entry.feedback_id not in about
        }
        others = seen_events(connection, assistant_id, unknown) if unknown else set()
        for entry in of_user:
            turn = about.get(entry.feedback_id)
            outcome: Outcome = "applied" if turn else "other_user" if entry.event_id in others else "no_turn"
            applied_to = None if turn is None else EventId(turn.event_id)
            if entry.applied_to is not None:
                rated.setdefault(assistant_id, {}).setdefault(entry.applied_to, None)
            if turn is not None:
                rated.setdefault(assistant_id, {})[EventId(turn.event_id)] = UserId(turn.user_id)
            if (outcome, applied_to) != (entry.outcome, entry.applied_to):
                changes.append({"of": entry.feedback_id, "to_outcome": outcome, "to_turn": applied_to})
            if outcome != entry.outcome:
                outcomes[assistant_id, outcome] += 1
    if changes:
        connection.execute(
            update(FEEDBACK)
            .where(FEEDBACK.c.feedback_id == bindparam("of"))
            .values(outcome=bindparam("to_outcome"), applied_to=bindparam("to_turn")),
            changes,
        )
    sessions = [
        session
        for assistant_id, events in sorted(rated.items())
        for session in _restated(connection, assistant_id, events)
    ]
    return Settled(tuple(sessions), outcomes)


def note_persons(connection: Connection, turns: Iterable[TurnEvent]) -> None:
    """Notes which persons turns name that are new, so that the accounts of one know each other.

    Args:
        connection: in the transaction that stores them, before `settle_feedback`.
        turns: none of users who were forgotten.
    """
    accounts = {
        (_person_key(turn.assistant_id, turn.person_id), turn.assistant_id, turn.user_id)
        for turn in turns
        if turn.person_id is not None
    }
    rows = [
        {
            "person_key": person_key,
            "user_key": user_key(assistant_id, user_id),
            "assistant_id": assistant_id,
            "user_id": user_id,
        }
        for person_key, assistant_id, user_id in sorted(accounts)
    ]
    upsert(connection, PERSON_ACCOUNT, rows, update=())


def _about_turns(connection: Connection, turns: Sequence[TurnEvent]) -> set[str]:
    ids: set[str] = set()
    for assistant_id, of_assistant in groupby(sorted(turns, key=_assistant), key=_assistant):
        ids |= _about(connection, AssistantId(assistant_id), list(of_assistant))
    return ids


def _about(connection: Connection, assistant_id: AssistantId, turns: Sequence[TurnEvent]) -> set[str]:
    """The entries that may be about some turns, or about others since their users are known to be one."""
    rows = FEEDBACK.c
    of_assistant = select(rows.feedback_id).where(rows.assistant_id == assistant_id)
    is_open = rows.applied_to.is_(None)
    events = is_among(connection, rows.event_id, {turn.event_id for turn in turns})
    ids = set(connection.scalars(of_assistant.where(events, is_open)))
    if rewritten := [turn for turn in turns if turn.rewrite_id is not None]:
        users = is_among(connection, rows.user_id, {turn.user_id for turn in rewritten})
        rewrites = is_among(connection, rows.rewrite_id, {turn.rewrite_id for turn in rewritten})
        ids.update(connection.scalars(of_assistant.where(users, rewrites, rows.event_id.is_(None))))
    if named := [turn for turn in turns if turn.person_id is not None]:
        persons = {_person_key(assistant_id, str(turn.person_id)) for turn in named}
        accounts = _accounts(connection, persons).union(turn.user_id for turn in named)
        users = is_among(connection, rows.user_id, accounts)
        ids.update(connection.scalars(of_assistant.where(users, rows.event_id.is_not(None), is_open)))
    return ids


def _entries(connection: Connection, ids: Collection[str]) -> list[_Entry]:
    """Entries by assistant and user; nobody replaces one of them until the transaction ends."""
    if not ids:
        return []
    query = select(*_COLUMNS).where(is_among(connection, FEEDBACK.c.feedback_id, ids)).with_for_update()
    entries = [_Entry(*row) for row in connection.execute(query)]
    return sorted(entries, key=lambda entry: (entry.assistant_id, entry.user_id, entry.feedback_id))


def _turns_of_entries(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, entries: Iterable[_Entry]
) -> dict[str, TurnEvent]:
    """The turn that each entry of a user is about, by entry; without those of which it has not come."""
    found: dict[str, TurnEvent] = {}
    by_event: dict[EventId, list[_Entry]] = {}
    for entry in entries:
        if entry.event_id is not None:
            by_event.setdefault(entry.event_id, []).append(entry)
        elif (turn := _latest_with_rewrite(connection, entry)) is not None:
            found[entry.feedback_id] = turn
    for event_id, turn in _turns_of_events(connection, assistant_id, user_id, set(by_event)).items():
        found |= {entry.feedback_id: turn for entry in by_event[event_id]}
    return found


def _turns_of_events(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, events: Collection[EventId]
) -> dict[EventId, TurnEvent]:
    """The turns of these events that a user may speak of."""

    def turns(user: UserId, may: Callable[[TurnEvent], bool]) -> dict[EventId, TurnEvent]:
        sessions = sessions_with_events(connection, assistant_id, user, set(events).difference(found))
        of_user = (turn for session in sessions for turn in session.turns)
        return {EventId(turn.event_id): turn for turn in of_user if turn.event_id in events and may(turn)}

    found: dict[EventId, TurnEvent] = {}
    found |= turns(user_id, lambda turn: True)
    if len(found) == len(events):
        return found
    persons = _persons(connection, assistant_id, user_id)
    for account in sorted(_accounts(connection, persons).difference([user_id])):
        found |= turns(
            account,
            lambda turn: turn.person_id is not None and _person_key(assistant_id, turn.person_id) in persons,
        )
    return found


def _latest_with_rewrite(connection: Connection, entry: _Entry) -> TurnEvent | None:
    earliest, latest = entry.received_ms - REWRITE_WINDOW_MS, entry.received_ms + AHEAD_MS
    sessions = sessions_between(connection, entry.assistant_id, entry.user_id, earliest, latest)
    return max(
        (
            turn
            for session in sessions
            for turn in session.turns
            if turn.rewrite_id == entry.rewrite_id and earliest <= turn.ts_ms <= latest
        ),
        key=lambda turn: (turn.ts_ms, turn.event_id),
        default=None,
    )


def _restated(
    connection: Connection, assistant_id: AssistantId, rated: Mapping[EventId, UserId | None]
) -> list[Session]:
    """The sessions with turns that carry something else now; notes what they had of their own.

    Args:
        connection: that writes.
        assistant_id: of the turns.
        rated: turns, and their users; None where the turn is noted.
    """
    rows = RATED_TURN.c
    of_turns = (rows.assistant_id == assistant_id) & is_among(connection, rows.event_id, rated)
    noted = {
        EventId(event_id): (UserId(user_id), own)
        for event_id, user_id, own in connection.execute(
            select(rows.event_id, rows.user_id, rows.own).where(of_turns)
        )
    }
    wanted = _latest_words(connection, assistant_id, rated)
    by_user: dict[UserId, set[EventId]] = {}
    for event_id, user_id in rated.items():
        owner = noted[event_id][0] if user_id is None and event_id in noted else user_id
        if owner is not None:
            by_user.setdefault(owner, set()).add(event_id)
    changed, new = [], []
    for user_id, events in sorted(by_user.items()):
        for session in sessions_with_events(connection, assistant_id, user_id, events):
            turns = []
            for turn in session.turns:
                event_id = EventId(turn.event_id)
                if event_id in events:
                    own = noted[event_id][1] if event_id in noted else turn.signals.feedback
                    if event_id in wanted and event_id not in noted:
                        new.append(_rated_row(turn, own))
                    turn = _saying(turn, wanted.get(event_id, own))
                turns.append(turn)
            if tuple(turns) != session.turns:
                changed.append(msgspec.structs.replace(session, turns=tuple(turns)))
    connection.execute(update(RATED_TURN).where(of_turns).values(stale=False))
    if left := [event_id for event_id in noted if event_id not in wanted]:
        connection.execute(
            delete(RATED_TURN).where(
                rows.assistant_id == assistant_id, is_among(connection, rows.event_id, left)
            )
        )
    upsert(connection, RATED_TURN, new)
    return changed


def _latest_words(
    connection: Connection, assistant_id: AssistantId, events: Collection[EventId]
) -> dict[EventId, Feedback]:
    """What was said last of turns; without those of which nothing is said."""
    rows = FEEDBACK.c
    query = select(rows.applied_to, rows.feedback).where(
        rows.assistant_id == assistant_id, is_among(connection, rows.applied_to, events)
    )
    said = connection.execute(query.order_by(rows.received_ms, rows.feedback_id))
    return {EventId(event_id): feedback for event_id, feedback in said}


def _rated_row(turn: TurnEvent, own: Feedback | None) -> dict[str, object]:
    return {
        "assistant_id": turn.assistant_id,
        "event_id": turn.event_id,
        "user_id": turn.user_id,
        "user_key": user_key(turn.assistant_id, turn.user_id),
        "own": own,
        "stale": False,
    }


def _saying(turn: TurnEvent, feedback: Feedback | None) -> TurnEvent:
    if turn.signals.feedback == feedback:
        return turn
    signals = msgspec.structs.replace(turn.signals, feedback=feedback)
    return msgspec.structs.replace(turn, signals=signals)


def _persons(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> set[int]:
    """The keys of the persons that a user's turns name."""
    rows = PERSON_ACCOUNT.c
    query = select(rows.person_key).where(rows.user_key == user_key(assistant_id, user_id))
    return set(connection.scalars(query))


def _accounts(connection: Connection, persons: Collection[int]) -> set[UserId]:
    """The users whose turns name any of these persons."""
    rows = PERSON_ACCOUNT.c
    query = select(rows.user_id).where(is_among(connection, rows.person_key, persons))
    return {UserId(user_id) for user_id in connection.scalars(query)}


def _person_key(assistant_id: str, person_id: str) -> int:
    """64 bits that stand for the person: the id itself is kept in the turns alone."""
    return name_key(assistant_id, person_id)


def _assistant(turn: TurnEvent) -> str:
    return turn.assistant_id
