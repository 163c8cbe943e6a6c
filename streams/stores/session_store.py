"""The session store: every user's sessions, kept so that late and repeated turns find their place.

What is stored is a function of the set of turns that came, so a replay of any part of a log changes nothing.
What a turn says may change once it is stored (`restate_sessions`); which turns a session has does not then.
A session is closed when its time is over by the event times of its partition, and may still be revised after.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    false,
    func,
    not_,
    select,
    true,
    update,
)

from streams.session import (
    DEFAULT_GAP_MS,
    Session,
    SessionChange,
    SessionId,
    absorb,
    dialogue_session_id,
)
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.turn import AssistantId, EventId, TurnEvent, UserId

SESSION = Table(
    "session",
    METADATA,
    Column("session_id", String(24), primary_key=True),
    Column("assistant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False),  # hash of both
    Column("source_partition", Integer, nullable=False),  # of the turns topic; -1 where they came from files
    Column("start_ms", BigInteger, nullable=False),
    Column("end_ms", BigInteger, nullable=False),
    Column("turns", LargeBinary, nullable=False),  # JSON array; empty: withdrawn
    Column("closed", Boolean, nullable=False),
    Column("emitted", Boolean, nullable=False),  # as it is now
)
Index("ix_session_user_key_end_ms", SESSION.c.user_key, SESSION.c.end_ms)
_STORED = select(SESSION.c.session_id, SESSION.c.assistant_id, SESSION.c.user_id, SESSION.c.turns)
_WAITING = SESSION.c.emitted == false()
Index(
    "ix_session_waiting",
    SESSION.c.source_partition,
    SESSION.c.end_ms,
    sqlite_where=_WAITING,
    postgresql_where=_WAITING,
)

SEEN_EVENT = Table(
    "seen_event",
    METADATA,
    Column("event_key", BigInteger, primary_key=True, autoincrement=False),  # hash of assistant and event id
)
"""Of 64 bits: among a billion events, two share a key with a probability of 3 %. It outlives a user who is
forgotten, so that a replay does not bring them back."""

FROM_FILES = -1
"""The partition of turns that were read from files."""

_TURNS = msgspec.json.Decoder(tuple[TurnEvent, ...])
_ENCODER = msgspec.json.Encoder()
_NO_TURNS = b"[]"
_SESSIONS_LOCK = 0x72656866  # any number that nobody else uses as an advisory lock


class NewTurns(Struct, frozen=True):
    """Turns that have not come before, and what they do to the sessions."""

    turns: tuple[TurnEvent, ...]
    event_keys: tuple[int, ...]  # of the turns
    change: SessionChange


class StoredSession(Struct, frozen=True):
    """A session as it is stored; without turns when it was withdrawn."""

    session_id: SessionId
    assistant_id: AssistantId
    user_id: UserId
    turns: msgspec.Raw  # JSON array, as it is stored


def lock_sessions(connection: Connection, *, alone: bool) -> None:
    """Keeps others from changing the same sessions until the transaction ends.

    Those who go by partitions of the topics change different sessions, and may do so together; who goes
    by files or by users does it alone. On SQLite every transaction that writes is alone.

    Args:
        connection: in a transaction that writes, and has not read any session yet.
        alone: wait until nobody else has the lock; else until nobody has it alone.
    """
    if connection.dialect.name == "postgresql":
        lock = func.pg_advisory_xact_lock if alone else func.pg_advisory_xact_lock_shared
        connection.execute(select(lock(_SESSIONS_LOCK)))


def new_turns(connection: Connection, turns: Sequence[TurnEvent], gap_ms: int = DEFAULT_GAP_MS) -> NewTurns:
    """Works out what turns change. Only reads."""
    distinct: dict[int, TurnEvent] = {}
    for turn in turns:
        distinct.setdefault(event_key(turn), turn)
    if distinct:
        seen = is_among(connection, SEEN_EVENT.c.event_key, distinct)
        for key in connection.scalars(select(SEEN_EVENT.c.event_key).where(seen)).all():
            del distinct[key]
    new = tuple(distinct.values())
    return NewTurns(new, tuple(distinct), absorb(_touched(connection, new, gap_ms), new, gap_ms))


def store_turns(connection: Connection, new: NewTurns, partitions: dict[tuple[str, str], int]) -> None:
    """Stores what `new_turns` has worked out.

    Args:
        connection: in a transaction that writes.
        new: from `new_turns` in the same transaction, under the lock.
        partitions: source partition by assistant and user; missing ones came from files, and the caller
            tells the chain of them.
    """
    upsert(connection, SEEN_EVENT, [{"event_key": key} for key in new.event_keys])
    rows = [_row(session, session.turns, partitions) for session in new.change.upserts]
    rows += [_row(session, (), partitions) for session in new.change.withdrawn]
    upsert(connection, SESSION, [row for row in rows if row["turns"] != _NO_TURNS or not row["emitted"]])
    if ids := [row["session_id"] for row in rows if row["turns"] == _NO_TURNS and row["emitted"]]:
        connection.execute(delete(SESSION).where(is_among(connection, SESSION.c.session_id, ids)))


def close_sessions(connection: Connection, partition: int, before_ms: int) -> None:
    """Closes the sessions of a partition whose last turn came before a time, milliseconds since 1970."""
    connection.execute(
        update(SESSION)
        .where(
            SESSION.c.source_partition == partition,
            _WAITING,
            SESSION.c.closed == false(),
            SESSION.c.end_ms < before_ms,
        )
        .values(closed=True)
    )


def has_open_sessions(connection: Connection, partitions: Iterable[int]) -> bool:
    """Whether any session of these partitions is not closed yet."""
    query = select(SESSION.c.session_id).where(
        SESSION.c.source_partition.in_(list(partitions)), _WAITING, SESSION.c.closed == false()
    )
    return connection.execute(query.limit(1)).first() is not None


def has_waiting_sessions(connection: Connection, partitions: Iterable[int]) -> bool:
    """Whether any session of these partitions is open, or has not been emitted as it is now."""
    query = select(SESSION.c.session_id).where(SESSION.c.source_partition.in_(list(partitions)), _WAITING)
    return connection.execute(query.limit(1)).first() is not None


def has_sessions_to_emit(connection: Connection, partitions: Iterable[int]) -> bool:
    """Whether there are any `sessions_to_emit`."""
    query = select(SESSION.c.session_id).where(_is_to_emit(partitions))
    return connection.execute(query.limit(1)).first() is not None


def sessions_to_emit(connection: Connection, partitions: Iterable[int]) -> list[StoredSession]:
    """Closed and withdrawn sessions that have not been emitted as they are now, earliest first."""
    rows = connection.execute(
        _STORED.where(_is_to_emit(partitions)).order_by(SESSION.c.end_ms, SESSION.c.session_id)
    )
    return [
        StoredSession(SessionId(key), AssistantId(assistant), UserId(user), msgspec.Raw(turns))
        for key, assistant, user, turns in rows
    ]


def mark_emitted(connection: Connection, session_ids: Iterable[SessionId]) -> None:
    """Marks sessions as emitted; withdrawn ones are then gone."""
    ids = list(session_ids)
    if not ids:
        return
    emitted = is_among(connection, SESSION.c.session_id, ids)
    connection.execute(delete(SESSION).where(emitted, SESSION.c.turns == _NO_TURNS))
    connection.execute(update(SESSION).where(emitted).values(emitted=True))


def as_they_were(connection: Connection, sessions: Iterable[StoredSession]) -> list[SessionId]:
    """Those of some sessions that are still stored with the turns that were read of them.

    Args:
        connection: under the lock, so that this holds until the transaction ends.
        sessions: read before.
    """
    read = {session.session_id: bytes(session.turns) for session in sessions}
    query = select(SESSION.c.session_id, SESSION.c.turns)
    rows = connection.execute(query.where(is_among(connection, SESSION.c.session_id, read)))
    return [SessionId(key) for key, turns in rows if read[SessionId(key)] == turns]


def read_sessions(
    connection: Connection, assistant_id: AssistantId, session_ids: Iterable[SessionId]
) -> list[Session]:
    """Sessions by id, sorted by id; missing and withdrawn ones are left out."""
    named = is_among(connection, SESSION.c.session_id, list(session_ids))
    found = _sessions(connection, _STORED.where(named, SESSION.c.assistant_id == assistant_id))
    return sorted(found, key=lambda session: session.session_id)


def all_sessions(connection: Connection, assistant_id: AssistantId) -> Iterator[Session]:
    """All sessions of an assistant, by their start; withdrawn ones are left out."""
    of_assistant = _STORED.where(SESSION.c.assistant_id == assistant_id)
    return _sessions(connection, of_assistant.order_by(SESSION.c.start_ms, SESSION.c.session_id))


def session_ids(connection: Connection, assistant_id: AssistantId) -> list[SessionId]:
    """The ids of all sessions of an assistant, by their start; of withdrawn ones too."""
    query = select(SESSION.c.session_id).where(SESSION.c.assistant_id == assistant_id)
    return [
        SessionId(key) for key in connection.scalars(query.order_by(SESSION.c.start_ms, SESSION.c.session_id))
    ]


def user_session_ids(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> list[SessionId]:
    """The ids of all sessions of a user."""
    query = select(SESSION.c.session_id).where(is_of_user(SESSION, assistant_id, user_id))
    return [SessionId(key) for key in connection.scalars(query)]


def forget_user_sessions(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Deletes all sessions of a user."""
    connection.execute(delete(SESSION).where(is_of_user(SESSION, assistant_id, user_id)))


def sessions_with_events(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, event_ids: Collection[EventId]
) -> list[Session]:
    """The sessions of a user that hold any of these events, by their start."""
    if not event_ids:
        return []
    named = [_ENCODER.encode(event_id) for event_id in event_ids]  # as they stand in the turns
    query = _STORED.where(is_of_user(SESSION, assistant_id, user_id))
    rows = connection.execute(query.order_by(SESSION.c.start_ms, SESSION.c.session_id))
    wanted = set(event_ids)
    return [
        session
        for session in _decoded(row for row in rows if any(name in row.turns for name in named))
        if any(turn.event_id in wanted for turn in session.turns)
    ]


def sessions_between(
    connection: Connection, assistant_id: AssistantId, user_id: UserId, from_ms: int, to_ms: int
) -> list[Session]:
    """The sessions of a user that go on at any time between two, milliseconds since 1970; by their start."""
    query = _STORED.where(
        is_of_user(SESSION, assistant_id, user_id), SESSION.c.end_ms >= from_ms, SESSION.c.start_ms <= to_ms
    )
    return list(_sessions(connection, query.order_by(SESSION.c.start_ms, SESSION.c.session_id)))


def restate_sessions(connection: Connection, sessions: Sequence[Session], *, from_files: bool) -> None:
    """Puts turns that say something else than before in the place of the same turns, to be emitted again.

    Args:
        connection: in a transaction that writes, under the lock alone.
        sessions: as they are stored, but for what their turns say.
        from_files: whether to emit those too whose turns came from files; else the caller tells the chain.
    """
    rows = SESSION.c
    for session in sessions:
        of_session = update(SESSION).where(rows.session_id == session.session_id)
        connection.execute(of_session.values(turns=_ENCODER.encode(session.turns)))
    restated = is_among(connection, rows.session_id, [session.session_id for session in sessions])
    of_files = rows.source_partition == FROM_FILES
    connection.execute(update(SESSION).where(restated, not_(of_files)).values(emitted=False))
    if from_files:  # they are complete, and nobody waits for their end
        connection.execute(update(SESSION).where(restated, of_files).values(closed=True, emitted=False))


def seen_events(
    connection: Connection, assistant_id: AssistantId, event_ids: Collection[EventId]
) -> set[EventId]:
    """Those of these events that have come, of any user, forgotten or not."""
    keys = {name_key(assistant_id, event_id): event_id for event_id in event_ids}
    seen = is_among(connection, SEEN_EVENT.c.event_key, keys)
    return {keys[key] for key in connection.scalars(select(SEEN_EVENT.c.event_key).where(seen))}


def is_of_user(table: Table, assistant_id: AssistantId, user_id: UserId) -> ColumnElement[bool]:
    """The condition that a row of a table with `user_key` is of a user; by the id too where it has one."""
    rows = table.c
    of_user = and_(rows.user_key == user_key(assistant_id, user_id), rows.assistant_id == assistant_id)
    return and_(of_user, rows.user_id == user_id) if "user_id" in rows else of_user


def event_key(turn: TurnEvent) -> int:
    """64 bits that stand for the event."""
    return name_key(turn.assistant_id, turn.event_id)


def user_key(assistant_id: str, user_id: str) -> int:
    """64 bits that stand for the user."""
    return name_key(assistant_id, user_id)


def _is_to_emit(partitions: Iterable[int]) -> ColumnElement[bool]:
    return and_(SESSION.c.source_partition.in_(list(partitions)), _WAITING, SESSION.c.closed == true())


def name_key(*names: str) -> int:
    """64 bits that stand for names in their order."""
    digest = hashlib.blake2b("\x00".join(names).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _touched(connection: Connection, turns: Sequence[TurnEvent], gap_ms: int) -> list[Session]:
    """All stored sessions that any of the turns may belong to or join."""
    if not turns:
        return []
    users = sorted({user_key(turn.assistant_id, turn.user_id) for turn in turns if turn.dialogue_id is None})
    dialogues = sorted({dialogue_session_id(turn) for turn in turns if turn.dialogue_id is not None})
    earliest = min(turn.ts_ms for turn in turns) - gap_ms
    latest = max(turn.ts_ms for turn in turns) + gap_ms
    near = [SESSION.c.end_ms >= earliest, SESSION.c.start_ms <= latest]
    of_users = and_(is_among(connection, SESSION.c.user_key, users), *near)
    of_dialogues = is_among(connection, SESSION.c.session_id, dialogues)
    sessions: dict[SessionId, Session] = {}
    for given, of_given in ((users, of_users), (dialogues, of_dialogues)):
        if given:
            sessions |= {found.session_id: found for found in _sessions(connection, _STORED.where(of_given))}
    return [session for _, session in sorted(sessions.items())]


def _sessions(connection: Connection, query: Select[str, str, str, bytes]) -> Iterator[Session]:
    """The sessions of a query like `_STORED`; withdrawn ones are left out."""
    return _decoded(connection.execute(query))


def _decoded(rows: Iterable[Row[str, str, str, bytes]]) -> Iterator[Session]:
    for session_id, assistant_id, user_id, turns in rows:
        if turns != _NO_TURNS:
            yield Session(
                session_id=SessionId(session_id),
                assistant_id=AssistantId(assistant_id),
                user_id=UserId(user_id),
                turns=_TURNS.decode(turns),
            )


def _row(
    session: Session, turns: tuple[TurnEvent, ...], partitions: dict[tuple[str, str], int]
) -> dict[str, object]:
    partition = partitions.get((session.assistant_id, session.user_id), FROM_FILES)
    return {
        "session_id": session.session_id,
        "assistant_id": session.assistant_id,
        "user_id": session.user_id,
        "user_key": user_key(session.assistant_id, session.user_id),
        "source_partition": partition,
        "start_ms": session.start_ms,
        "end_ms": session.end_ms,
        "turns": _ENCODER.encode(turns),
        "closed": not turns,
        "emitted": partition == FROM_FILES,
    }
