"""The chain store: the steps of every session that is in the chains, from which the chains are rebuilt."""

from typing import Final

from sqlalchemy import Column, Connection, Index, Integer, and_

from rewriting.chains.step import SessionSteps
from streams.stores.assistant_row import AssistantRows
from streams.stores.step_store import Epoch, StepStore, epoch_table, step_table
from streams.turn import AssistantId

CHAIN_SESSION = step_table("chain_session")
Index(None, CHAIN_SESSION.c.assistant_id)
Index(None, CHAIN_SESSION.c.user_key)

CHAIN_EPOCH = epoch_table(
    "chain_epoch",
    Column("solved_epoch", Integer, nullable=False),  # what the rewrite table agrees with; -1: see put_off
)

_PUT_OFF = -1


class ChainEpoch(Epoch, frozen=True):
    """How far the chain of an assistant is."""

    solved_epoch: int = 0


CHAIN_STORE: Final = StepStore(CHAIN_SESSION, SessionSteps, AssistantRows(CHAIN_EPOCH, ChainEpoch))


def unsolved(connection: Connection) -> list[AssistantId]:
    """The assistants whose chain others have changed, in a way that their rewrite table does not show yet."""
    solved = CHAIN_EPOCH.c.solved_epoch
    is_behind = and_(CHAIN_EPOCH.c.epoch != solved, solved != _PUT_OFF)
    return CHAIN_STORE.epochs.assistants(connection, is_behind)


def put_off(connection: Connection) -> list[AssistantId]:
    """The assistants whose chain its holder has changed and not solved yet: it will, if it lives."""
    return CHAIN_STORE.epochs.assistants(connection, CHAIN_EPOCH.c.solved_epoch == _PUT_OFF)


def mark_put_off(connection: Connection, assistant_id: AssistantId) -> None:
    """Says that the chain was changed by who holds it, and that its rewrite table does not show it yet."""
    CHAIN_STORE.epochs.set(connection, assistant_id, solved_epoch=_PUT_OFF)


def mark_solved(connection: Connection, assistant_id: AssistantId) -> None:
    """Says that the rewrite table agrees with the chain as it is."""
    CHAIN_STORE.epochs.set(connection, assistant_id, solved_epoch=CHAIN_EPOCH.c.epoch)
