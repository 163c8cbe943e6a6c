"""The turn store: what a model says of each turn, and which of it the topic does not have yet.

What is said is stored by session, each session in the place of what is stored of it. The same again changes
nothing. Of each change, the key of the turn is noted: with what is said of it, or as withdrawn where nothing
is any more, it goes to the topic, and the note is taken away when the topic has it.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import cached_property
from typing import Any, Final, Generic, Protocol, TypeVar

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
    update,
)

from streams.session import Session, SessionId, turns_key
from streams.stores.assistant_row import assistant_table
from streams.stores.checkpoint import has_read
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.stores.session_store import is_of_user, user_key
from streams.turn import AssistantId, EventId, TurnEvent, UserId

OUTDATED: Final = ""
"""In the place of the model where a session has changed without other turns; no model has this name."""


class TurnRecord(Protocol):
    """What is said of one turn, and whose it is: the value of a record on the topic."""

    @property
    def event_id(self) -> EventId:
        """Of the turn."""
        ...

    @property
    def session_id(self) -> SessionId:
        """Of the session that the turn is in."""
        ...

    @property
    def ts_ms(self) -> int:
        """Time of the turn, milliseconds since 1970."""
        ...


R = TypeVar("R", bound=TurnRecord)


class TurnChange(Struct, Generic[R], frozen=True):
    """A turn of which the topic does not have what is said."""

    assistant_id: AssistantId
    event_id: EventId
    stamp: int
    record: R | None  # None: withdrawn

    @property
    def key(self) -> str:
        """Key of the record on the topic."""
        return f"{self.assistant_id}/{self.event_id}"


def turn_table(name: str, *said: Column[Any], metadata: MetaData = METADATA) -> Table:
    """A table with one row for each turn.

    Args:
        name: of the table.
        said: columns of what is said of a turn.
        metadata: that the table belongs to.
    """
    return assistant_table(
        name,
        Column("event_id", Text, primary_key=True),
        Column("user_id", Text, nullable=False),
        Column("user_key", BigInteger, nullable=False, index=True),
        Column("session_id", String(24), nullable=False, index=True),
        Column("ts_ms", BigInteger, nullable=False),  # of the turn
        Column("model", Text, nullable=False),  # name of the one that says so
        *said,
        metadata=metadata,
    )


def change_table(name: str, metadata: MetaData = METADATA) -> Table:
    """A table of the turns of which the topic does not have what is said."""
    return assistant_table(
        name,
        Column("event_id", Text, primary_key=True),
        Column("stamp", BigInteger, nullable=False, index=True),  # larger with each change
        metadata=metadata,
    )


def turn_columns(session: Session, turn: TurnEvent, model: str) -> dict[str, Any]:
    """The columns that each `turn_table` has, of one turn of a session."""
    return {
        "assistant_id": session.assistant_id,
        "event_id": turn.event_id,
        "user_id": session.user_id,
        "user_key": user_key(session.assistant_id, session.user_id),
        "session_id": session.session_id,
        "ts_ms": turn.ts_ms,
        "model": model,
    }


class TurnStore(Struct, Generic[R], frozen=True, dict=True):
    """What one kind of model says of turns; the tables are those of the database that a connection is of.

    Methods that write need a connection in a transaction that writes.
    """

    table: Table  # a `turn_table`, with a row for each turn
    noted: Table  # a `change_table`
    task: str  # the one that publishes what is stored
    written: str  # the column that tells when a row was written, milliseconds since 1970
    record: Callable[[dict[str, Any]], R]  # makes one of the values of the other columns, by name
    internal: Collection[str] = ()  # columns that records do not have

    @cached_property
    def _columns(self) -> list[Column[Any]]:
        """Those that records have."""
        without = {"user_key", self.written, *self.internal}
        return [column for column in self.table.columns if column.name not in without]

    def known(
        self, connection: Connection, session_ids: Iterable[SessionId]
    ) -> dict[SessionId, tuple[str, int]]:
        """Of sessions that are stored: the name of the model, and the `turns_key` of the turns it judged."""
        judged = self.column(connection, session_ids, "model")
        return {
            key: (turns[0][1], turns_key(event_id for event_id, _ in turns)) for key, turns in judged.items()
        }

    def column(
        self, connection: Connection, session_ids: Iterable[SessionId], name: str
    ) -> dict[SessionId, list[tuple[str, Any]]]:
        """By session the event and one column of each turn, in order; without sessions that have none."""
        rows = self.table.c
        query = select(rows.session_id, rows.ts_ms, rows.event_id, rows[name])
        named = is_among(connection, rows.session_id, list(session_ids))
        turns: dict[SessionId, list[tuple[int, str, Any]]] = {}
        for key, ts_ms, event_id, value in connection.execute(query.where(named)):
            turns.setdefault(SessionId(key), []).append((ts_ms, event_id, value))
        return {
            key: [turn[1:] for turn in sorted(of_session, key=lambda turn: turn[:2])]
            for key, of_session in turns.items()
        }

    def records(self, connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, list[R]]:
        """What is stored of sessions, in the order of the turns; without sessions of which nothing is."""
        found: dict[SessionId, list[R]] = {}
        named = is_among(connection, self.table.c.session_id, list(session_ids))
        for row in connection.execute(select(*self._columns).where(named)):
            record = self._record_of(row)
            found.setdefault(record.session_id, []).append(record)
        for records in found.values():
            records.sort(key=lambda record: (record.ts_ms, record.event_id))
        return found

    def replace(
        self,
        connection: Connection,
        session_ids: Collection[SessionId],
        rows: Sequence[dict[str, Any]],
        now_ms: int,
    ) -> int:
        """Puts rows in the place of all that is stored of sessions.

        Args:
            connection: that writes.
            session_ids: of the sessions.
            rows: of their turns, with all columns but the one that tells when.
            now_ms: milliseconds since 1970.

        Returns:
            Of how many turns something else is said than before.
        """
        before = {
            (row["assistant_id"], row["event_id"]): row for row in self._rows_of(connection, session_ids)
        }
        changed = []
        gone = set(before)
        for row in rows:
            key = row["assistant_id"], row["event_id"]
            gone.discard(key)
            known = before.get(key)
            if known is None or any(known[name] != value for name, value in row.items()):
                changed.append(row | {self.written: now_ms})
        _delete(connection, self.table, gone)
        upsert(connection, self.table, changed)
        self._note(connection, gone | {(row["assistant_id"], row["event_id"]) for row in changed})
        return len(gone) + len(changed)

    def drop(self, connection: Connection, session_ids: Collection[SessionId]) -> None:
        """Withdraws what is said of sessions that are no more, or have other turns now."""
        gone = {(row["assistant_id"], row["event_id"]) for row in self._rows_of(connection, session_ids)}
        _delete(connection, self.table, gone)
        self._note(connection, gone)

    def outdate(self, connection: Connection, session_ids: Collection[SessionId]) -> None:
        """Has sessions judged again though they have the turns that were judged: these say something else."""
        named = is_among(connection, self.table.c.session_id, list(session_ids))
        connection.execute(update(self.table).where(named).values(model=OUTDATED))

    def are_published(self, connection: Connection) -> bool:
        """Whether what is stored is published: from the first session on that the task has read."""
        return has_read(connection, self.task)

    def forget_user(self, connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
        """Deletes what is said of a user's turns, and withdraws it where it is published.

        That needs the ids of their events, until it is done. Where nothing is published, nothing is kept.
        """
        of_user = is_of_user(self.table, assistant_id, user_id)
        query = select(self.table.c.event_id).where(of_user)
        gone = {(assistant_id, key) for key in connection.scalars(query)}
        connection.execute(delete(self.table).where(of_user))
        if self.are_published(connection):
            self._note(connection, gone)
        else:
            _delete(connection, self.noted, gone)

    def has_changes(self, connection: Connection) -> bool:
        """Whether the topic lacks anything."""
        return connection.execute(select(self.noted.c.stamp).limit(1)).first() is not None

    def changes(self, connection: Connection, limit: int) -> list[TurnChange[R]]:
        """What the topic lacks, the oldest first; `limit` changes at most."""
        rows, changes = self.table.c, self.noted.c
        of_turn = and_(rows.assistant_id == changes.assistant_id, rows.event_id == changes.event_id)
        query = (
            select(*self.noted.columns, *self._columns)
            .select_from(self.noted.outerjoin(self.table, of_turn))
            .order_by(changes.stamp, changes.assistant_id, changes.event_id)
            .limit(limit)
        )
        found = []
        for assistant_id, event_id, stamp, *said in connection.execute(query):
            record = None if said[0] is None else self._record_of(said)
            found.append(TurnChange(AssistantId(assistant_id), EventId(event_id), stamp, record))
        return found

    def mark_announced(self, connection: Connection, changes: Iterable[TurnChange[R]]) -> None:
        """Says that the topic has these; a turn that has changed again since stays noted."""
        rows = [
            {"of_assistant": change.assistant_id, "of_event": change.event_id, "of_stamp": change.stamp}
            for change in changes
        ]
        if rows:
            statement = delete(self.noted).where(
                self.noted.c.assistant_id == bindparam("of_assistant"),
                self.noted.c.event_id == bindparam("of_event"),
                self.noted.c.stamp == bindparam("of_stamp"),
            )
            connection.execute(statement, rows)

    def counts(self, connection: Connection, assistant_id: AssistantId) -> tuple[int, int]:
        """Of how many sessions and of how many turns something is said."""
        rows = self.table.c
        query = select(func.count(rows.session_id.distinct()), func.count()).where(
            rows.assistant_id == assistant_id
        )
        sessions, turns = connection.execute(query).one()
        return sessions, turns

    def assistants(self, connection: Connection) -> list[AssistantId]:
        """The assistants of whose turns something is said, sorted."""
        query = select(self.table.c.assistant_id).distinct()
        return sorted(AssistantId(key) for key in connection.scalars(query))

    def _record_of(self, row: Iterable[Any]) -> R:
        return self.record({column.name: value for column, value in zip(self._columns, row, strict=True)})

    def _rows_of(self, connection: Connection, session_ids: Collection[SessionId]) -> list[RowMapping]:
        named = is_among(connection, self.table.c.session_id, list(session_ids))
        return list(connection.execute(select(self.table).where(named)).mappings())

    def _note(self, connection: Connection, turns: Iterable[tuple[str, str]]) -> None:
        stamp = (connection.execute(select(func.max(self.noted.c.stamp))).scalar() or 0) + 1
        rows = [
            {"assistant_id": assistant_id, "event_id": event_id, "stamp": stamp}
            for assistant_id, event_id in sorted(turns)
        ]
        upsert(connection, self.noted, rows)


def _delete(connection: Connection, table: Table, turns: Iterable[tuple[str, str]]) -> None:
    """Deletes the rows of turns, given by assistant and event."""
    by_assistant: dict[str, list[str]] = {}
    for assistant_id, event_id in turns:
        by_assistant.setdefault(assistant_id, []).append(event_id)
    for assistant_id, event_ids in by_assistant.items():
        of_turns = is_among(connection, table.c.event_id, event_ids)
        connection.execute(delete(table).where(table.c.assistant_id == assistant_id, of_turns))
