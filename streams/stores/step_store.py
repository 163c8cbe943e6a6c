"""The step store: the steps of every session that something is learned from, as one learner reduces it.

Each assistant has an epoch, which counts the times that its sessions were changed by somebody who does not
hold in memory what is learned from them (a user forgotten, a log learned beside the workers); who holds it
then rebuilds it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    select,
)

from streams.session import SessionId
from streams.stores.assistant_row import AssistantRows, assistant_table
from streams.stores.database_schema import METADATA, is_among, upsert
from streams.stores.session_store import is_of_user, user_key
from streams.turn import AssistantId, UserId

_ROWS_AT_A_TIME = 10_000
_ENCODER = msgspec.msgpack.Encoder()


class SteppedSession(Struct, frozen=True, array_like=True):
    """A session of one user, reduced to its steps; without steps: withdrawn."""

    session_id: SessionId
    assistant_id: AssistantId
    user_id: UserId
    steps: tuple[Any, ...]


class Epoch(Struct, frozen=True):
    """How far what is made of an assistant's sessions is; each learner adds what it notes beside."""

    epoch: int = 0


S = TypeVar("S", bound=SteppedSession)
E = TypeVar("E", bound=Epoch)


def step_table(name: str, *columns: Column[Any]) -> Table:
    """A table with one row for each session; `columns` are those that only this table has."""
    return Table(
        name,
        METADATA,
        Column("session_id", String(24), primary_key=True),
        Column("assistant_id", Text, nullable=False),
        Column("user_key", BigInteger, nullable=False),
        *columns,
        Column("steps", LargeBinary, nullable=False),  # the reduced session as MessagePack
    )


def epoch_table(name: str, *columns: Column[Any]) -> Table:
    """A table with the epoch of each assistant; `columns` are those beside it."""
    return assistant_table(name, Column("epoch", Integer, nullable=False), *columns)


def by_assistant(sessions: Iterable[S]) -> list[tuple[AssistantId, list[S]]]:
    """The sessions of each assistant, the last of each session, by assistant.

    All who change several assistants do it in this order, so that none waits in a ring.
    """
    found: dict[AssistantId, dict[SessionId, S]] = {}
    for session in sessions:
        found.setdefault(session.assistant_id, {})[session.session_id] = session
    return [(assistant_id, list(news.values())) for assistant_id, news in sorted(found.items())]


class StepStore(Struct, Generic[S, E], frozen=True, dict=True):
    """The sessions that one learner learns from, and the epoch of each assistant.

    The tables are those of the database that a connection is of. Methods that write need a connection in a
    transaction that writes.
    """

    table: Table  # a `step_table`
    kind: type[S]  # of a session
    epochs: AssistantRows[E]  # of an `epoch_table`
    order: Sequence[Column[Any]] = ()  # in whose order all sessions are read; none: in any
    columns: Callable[[S], Mapping[str, object]] = lambda _: {}
    """The values of the columns of a session with steps that only this table has."""

    @cached_property
    def _decoder(self) -> msgspec.msgpack.Decoder[S]:
        return msgspec.msgpack.Decoder(self.kind)

    def all(self, connection: Connection, assistant_id: AssistantId) -> Iterator[S]:
        """All sessions of an assistant."""
        rows = self.table.c
        query = select(rows.steps).where(rows.assistant_id == assistant_id).order_by(*self.order)
        for steps in connection.scalars(query.execution_options(yield_per=_ROWS_AT_A_TIME)):
            yield self._decoder.decode(steps)

    def of(self, connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, S]:
        """Some sessions, where they are stored."""
        ids = list(session_ids)
        if not ids:
            return {}
        query = select(self.table.c.steps).where(is_among(connection, self.table.c.session_id, ids))
        found = map(self._decoder.decode, connection.scalars(query))
        return {session.session_id: session for session in found}

    def store(self, connection: Connection, sessions: Iterable[S]) -> None:
        """Stores sessions, each at most once; those without steps are dropped."""
        kept, dropped = [], []
        for session in sessions:
            if session.steps:
                kept.append(self._row(session))
            else:
                dropped.append(session.session_id)
        upsert(connection, self.table, kept)
        if dropped:
            is_dropped = is_among(connection, self.table.c.session_id, dropped)
            connection.execute(delete(self.table).where(is_dropped))

    def replace(self, connection: Connection, sessions: Sequence[S]) -> list[tuple[S | None, S]]:
        """Stores those of some sessions that are not stored as they are; gives them.

        Returns:
            What was stored of each (None: nothing), and the session.
        """
        known = self.of(connection, [session.session_id for session in sessions])
        changes = [(known.get(session.session_id), session) for session in sessions]
        changes = [
            (before, after) for before, after in changes if after != before and (before or after.steps)
        ]
        self.store(connection, (after for _, after in changes))
        return changes

    def forget_user(self, connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
        """Deletes all sessions of a user; what is made of them follows when it is next rebuilt."""
        of_user = is_of_user(self.table, assistant_id, user_id)
        deleted = connection.execute(delete(self.table).where(of_user))
        if deleted.rowcount:
            self.start_epoch(connection, assistant_id)

    def start_epoch(self, connection: Connection, assistant_id: AssistantId) -> int:
        """Tells everybody who holds in memory what the sessions teach to rebuild it; gives the new epoch."""
        epoch = self.epochs.lock(connection, assistant_id).epoch + 1
        self.epochs.set(connection, assistant_id, epoch=epoch)
        return epoch

    def _row(self, session: S) -> dict[str, object]:
        return {
            "session_id": session.session_id,
            "assistant_id": session.assistant_id,
            "user_key": user_key(session.assistant_id, session.user_id),
            **self.columns(session),
            "steps": _ENCODER.encode(session),
        }
