"""Stored turns: turns come into the session store, and carry what their users say about them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.feedback.settling import (
    Settled,
    leave_to_others,
    note_persons,
    settle_feedback,
    unsettled_feedback,
)
from services.session_models.registry import SESSION_MODELS
from streams.session import Session
from streams.stores.session_store import (
    NewTurns,
    lock_sessions,
    new_turns,
    restate_sessions,
    store_turns,
)
from streams.turn import TurnEvent


class StoredTurns(Struct, frozen=True):
    """What has changed in the session store."""

    new: NewTurns
    feedback: Settled

    @property
    def changed(self) -> list[Session]:
        """The sessions that have other turns than before, as they are now."""
        restated = {session.session_id: session for session in self.feedback.sessions}
        return [restated.get(session.session_id, session) for session in self.new.change.upserts]

    @property
    def restated(self) -> list[Session]:
        """The sessions that have the same turns, which carry other feedback."""
        changed = {session.session_id for session in self.new.change.upserts}
        return [session for session in self.feedback.sessions if session.session_id not in changed]


def store_turns_with_feedback(
    connection: Connection,
    turns: Sequence[TurnEvent],
    gap_ms: int,
    partitions: Mapping[tuple[str, str], int] | None = None,
    *,
    waiting: bool = True,
) -> StoredTurns:
    """Stores turns, and applies feedback; sessions whose turns carry something else are judged again.

    Args:
        connection: in a transaction that writes, and has not read any session yet.
        turns: known ones change nothing.
        gap_ms: silence that ends a session.
        partitions: source partition of the turns, by assistant and user; None: they came from files, and the
            caller tells those who learn from sessions of all that has changed.
        waiting: whether to apply feedback of other users too that waits for somebody to do it.
    """
    unsettled = unsettled_feedback(connection, turns, waiting=waiting)
    lock_sessions(connection, alone=partitions is None or bool(unsettled))
    new = new_turns(connection, turns, gap_ms)
    store_turns(connection, new, dict(partitions or {}))
    note_persons(connection, new.turns)
    settled = settle_feedback(connection, unsettled)
    leave_to_others(connection, new.turns, unsettled)
    if settled.sessions:
        restate_sessions(connection, settled.sessions, from_files=partitions is not None)
        for kind in SESSION_MODELS:
            kind.outdate(connection, [session.session_id for session in settled.sessions])
    return StoredTurns(new, settled)
