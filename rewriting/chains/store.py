"""The chain store: the steps of every session that is in the chains, from which the chains are rebuilt.

Each assistant has an epoch, which counts the times that its steps were changed by somebody who does not hold
its chain in memory (a user forgotten, a log learned beside the workers); who holds it then rebuilds it.
"""

from collections.abc import Iterable, Iterator

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    and_,
    delete,
    literal,
    select,
    update,
)

from rewriting.chains.step import SessionSteps
from streams.session import SessionId
from streams.stores.database_schema import METADATA, chunks, upsert
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

CHAIN_SESSION = Table(
    "chain_session",
    METADATA,
    Column("session_id", String(24), primary_key=True),
    Column("assistant_id", Text, nullable=False, index=True),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("steps", LargeBinary, nullable=False),  # SessionSteps as MessagePack
)
CHAIN_EPOCH = Table(
    "chain_epoch",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("solved_epoch", Integer, nullable=False),  # what the rewrite table agrees with; -1: see put_off
)

_DECODER = msgspec.msgpack.Decoder(SessionSteps)
_ENCODER = msgspec.msgpack.Encoder()
_ROWS_AT_A_TIME = 10_000
_PUT_OFF = -1


def all_steps(connection: Connection, assistant_id: AssistantId) -> Iterator[SessionSteps]:
    """The steps of every session in the chain of an assistant."""
    query = select(CHAIN_SESSION.c.steps).where(CHAIN_SESSION.c.assistant_id == assistant_id)
    for steps in connection.scalars(query.execution_options(yield_per=_ROWS_AT_A_TIME)):
        yield _DECODER.decode(steps)


def steps_of(connection: Connection, session_ids: Iterable[SessionId]) -> dict[SessionId, SessionSteps]:
    """The steps of some sessions, where they are in a chain."""
    found = {}
    for ids in chunks(list(session_ids)):
        query = select(CHAIN_SESSION.c.steps).where(CHAIN_SESSION.c.session_id.in_(ids))
        for steps in map(_DECODER.decode, connection.scalars(query)):
            found[steps.session_id] = steps
    return found


def store_steps(connection: Connection, sessions: Iterable[SessionSteps]) -> None:
    """Stores the steps of sessions; those without steps are dropped from their chain."""
    kept, dropped = [], []
    for session in sessions:
        if session.steps:
            kept.append(
                {
                    "session_id": session.session_id,
                    "assistant_id": session.assistant_id,
                    "user_key": user_key(session.assistant_id, session.user_id),
                    "steps": _ENCODER.encode(session),
                }
            )
        else:
            dropped.append(session.session_id)
    upsert(connection, CHAIN_SESSION, kept)
    for ids in chunks(dropped):
        connection.execute(delete(CHAIN_SESSION).where(CHAIN_SESSION.c.session_id.in_(ids)))


def forget_user_steps(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Drops all sessions of a user from the chain."""
    deleted = connection.execute(
        delete(CHAIN_SESSION).where(
            CHAIN_SESSION.c.user_key == user_key(assistant_id, user_id),
            CHAIN_SESSION.c.assistant_id == assistant_id,
        )
    )
    if deleted.rowcount:
        start_epoch(connection, assistant_id)


def lock_chain(connection: Connection, assistant_id: AssistantId) -> int:
    """Keeps others from changing a chain until the transaction ends; gives its epoch.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose chain.
    """
    row = {"assistant_id": assistant_id, "epoch": 0, "solved_epoch": 0}
    upsert(connection, CHAIN_EPOCH, [row], update=())
    query = select(CHAIN_EPOCH.c.epoch).where(CHAIN_EPOCH.c.assistant_id == assistant_id)
    return int(connection.execute(query.with_for_update()).scalar_one())


def epochs(connection: Connection) -> dict[AssistantId, int]:
    """The epoch of each assistant's chain; 0 where one is missing."""
    rows = connection.execute(select(CHAIN_EPOCH.c.assistant_id, CHAIN_EPOCH.c.epoch))
    return {AssistantId(assistant_id): number for assistant_id, number in rows}


def unsolved(connection: Connection) -> list[AssistantId]:
    """The assistants whose chain others have changed, in a way that their rewrite table does not show yet."""
    solved = CHAIN_EPOCH.c.solved_epoch
    return _assistants(connection, and_(CHAIN_EPOCH.c.epoch != solved, solved != _PUT_OFF))


def put_off(connection: Connection) -> list[AssistantId]:
    """The assistants whose chain its holder has changed and not solved yet: it will, if it lives."""
    return _assistants(connection, CHAIN_EPOCH.c.solved_epoch == _PUT_OFF)


def _assistants(connection: Connection, condition: ColumnElement[bool]) -> list[AssistantId]:
    query = select(CHAIN_EPOCH.c.assistant_id).where(condition).order_by(CHAIN_EPOCH.c.assistant_id)
    return [AssistantId(assistant_id) for assistant_id in connection.scalars(query)]


def start_epoch(connection: Connection, assistant_id: AssistantId) -> int:
    """Tells everybody who holds the chain in memory to rebuild it; gives the new epoch."""
    known = connection.execute(select(CHAIN_EPOCH).where(CHAIN_EPOCH.c.assistant_id == assistant_id)).first()
    number = 1 if known is None else known.epoch + 1
    row = {
        "assistant_id": assistant_id,
        "epoch": number,
        "solved_epoch": 0 if known is None else known.solved_epoch,
    }
    upsert(connection, CHAIN_EPOCH, [row])
    return number


def mark_put_off(connection: Connection, assistant_id: AssistantId) -> None:
    """Says that the chain was changed by who holds it, and that its rewrite table does not show it yet."""
    _mark(connection, assistant_id, literal(_PUT_OFF))


def mark_solved(connection: Connection, assistant_id: AssistantId) -> None:
    """Says that the rewrite table agrees with the chain as it is."""
    _mark(connection, assistant_id, CHAIN_EPOCH.c.epoch)


def _mark(connection: Connection, assistant_id: AssistantId, solved_epoch: ColumnElement[int]) -> None:
    connection.execute(
        update(CHAIN_EPOCH)
        .where(CHAIN_EPOCH.c.assistant_id == assistant_id)
        .values(solved_epoch=solved_epoch)
    )
