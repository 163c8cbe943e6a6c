"""Sessions: the stretches of dialogue in which a user pursues what they want.

A session is a function of the set of a user's turns, so it does not matter in what order the turns came,
whether some came twice or late, or how they were cut into batches (`sessionize`, `absorb`).
"""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NewType

from msgspec import Struct

from streams.turn import AssistantId, EventId, TurnEvent, UserId

SessionId = NewType("SessionId", str)

DEFAULT_GAP_MS = 45_000
"""A longer silence starts a new session. Raised, unrelated requests join one chain; lowered, slow second
tries are lost. The published value of feedback-based self-learning is about this."""


class Session(Struct, frozen=True, kw_only=True):
    """Consecutive turns of one user of one assistant, in the order (ts_ms, event_id); at least one."""

    session_id: SessionId
    assistant_id: AssistantId
    user_id: UserId
    turns: tuple[TurnEvent, ...]

    @property
    def dialogue_id(self) -> str | None:
        """The producer's dialogue, where it gave one."""
        return self.turns[0].dialogue_id

    @property
    def start_ms(self) -> int:
        """Start of the first request, milliseconds since 1970."""
        return self.turns[0].ts_ms

    @property
    def end_ms(self) -> int:
        """Start of the last request, milliseconds since 1970."""
        return self.turns[-1].ts_ms

    @property
    def turns_key(self) -> int:
        """64 bits that stand for its turns as they are now."""
        return turns_key(turn.event_id for turn in self.turns)


class SessionChange(Struct, frozen=True):
    """What a batch of turns did to the sessions of some users."""

    upserts: tuple[Session, ...]  # new, or with other turns than before; sorted by id
    withdrawn: tuple[Session, ...]  # as they were; their turns are in other sessions now; sorted by id


def sessionize(turns: Iterable[TurnEvent], gap_ms: int = DEFAULT_GAP_MS) -> list[Session]:
    """Cuts turns into sessions: by `dialogue_id` where there is one, else by gaps over `gap_ms`.

    A second turn with the same event id is the same turn: the earliest is kept. Sessions are sorted by
    assistant, user and start.
    """
    distinct: dict[tuple[str, str], TurnEvent] = {}
    for turn in sorted(turns, key=_order):
        distinct.setdefault((turn.assistant_id, turn.event_id), turn)
    sessions: list[Session] = []
    for _, user_turns in groupby(distinct.values(), key=lambda turn: (turn.assistant_id, turn.user_id)):
        dialogues: dict[str, list[TurnEvent]] = {}
        stretch: list[TurnEvent] = []
        for turn in user_turns:
            if turn.dialogue_id is not None:
                dialogues.setdefault(turn.dialogue_id, []).append(turn)
                continue
            if stretch and turn.ts_ms - stretch[-1].ts_ms > gap_ms:
                sessions.append(_session(stretch))
                stretch = []
            stretch.append(turn)
        if stretch:
            sessions.append(_session(stretch))
        sessions.extend(_session(dialogue) for dialogue in dialogues.values())
    sessions.sort(key=lambda session: (*_order(session.turns[0]), session.session_id))
    return sessions


def absorb(
    known: Sequence[Session], turns: Iterable[TurnEvent], gap_ms: int = DEFAULT_GAP_MS
) -> SessionChange:
    """Adds turns to sessions.

    Args:
        known: every session that a turn may belong to or touch (same dialogue, or within `gap_ms` of it);
            others do no harm.
        turns: of any users, in any order; known ones are passed over.
        gap_ms: as for `sessionize`.
    """
    known_events: set[tuple[AssistantId, EventId]] = {
        (session.assistant_id, EventId(turn.event_id)) for session in known for turn in session.turns
    }
    new = [
        turn for turn in turns if (AssistantId(turn.assistant_id), EventId(turn.event_id)) not in known_events
    ]
    if not new:
        return SessionChange((), ())
    before = {session.session_id: session for session in known}
    old_turns = [turn for session in known for turn in session.turns]
    after = {session.session_id: session for session in sessionize([*old_turns, *new], gap_ms)}
    return SessionChange(
        tuple(session for key, session in sorted(after.items()) if before.get(key) != session),
        tuple(session for key, session in sorted(before.items()) if key not in after),
    )


def turns_key(event_ids: Iterable[str]) -> int:
    """64 bits that stand for the turns of a session, given in their order."""
    digest = hashlib.blake2b("\x00".join(event_ids).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _order(turn: TurnEvent) -> tuple[str, str, int, str]:
    return (turn.assistant_id, turn.user_id, turn.ts_ms, turn.event_id)


def dialogue_session_id(turn: TurnEvent) -> SessionId:
    """The id of the session that a turn with a dialogue id belongs to."""
    return _session_id(turn, "dialogue", str(turn.dialogue_id))


def _session(turns: Sequence[TurnEvent]) -> Session:
    first = turns[0]
    if first.dialogue_id is None:
        session_id = _session_id(first, "event", first.event_id)
    else:
        session_id = dialogue_session_id(first)
    return Session(
        session_id=session_id,
        assistant_id=AssistantId(first.assistant_id),
        user_id=UserId(first.user_id),
        turns=tuple(turns),
    )


def _session_id(turn: TurnEvent, kind: str, name: str) -> SessionId:
    parts = "\x00".join([turn.assistant_id, turn.user_id, kind, name])
    return SessionId(hashlib.blake2b(parts.encode(), digest_size=12).hexdigest())
