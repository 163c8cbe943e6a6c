"""The stores that hold something of users: whoever forgets a user goes through all of them."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Table

from rewriting.chains.store import CHAIN_STORE
from rewriting.feedback.store import FEEDBACK, PERSON_ACCOUNT, RATED_TURN, forget_feedback
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.table.schema import ROW_VERDICTS
from rewriting.verdicts.store import forget_user_verdicts
from services.session_models.registry import SESSION_MODELS
from streams.stores.session_notice import SESSION_NOTICE, forget_user_notices
from streams.stores.session_store import SESSION, forget_user_sessions
from streams.turn import AssistantId, UserId


class UserData(Struct, frozen=True):
    """What one store holds of users."""

    tables: tuple[Table, ...]  # with a column `user_id` or `user_key`
    forget: Callable[[Connection, AssistantId, UserId, int], object]
    """Deletes what there is of a user, in a transaction in which nobody else changes sessions; is given the
    time now, milliseconds since 1970."""


def _of(forget: Callable[[Connection, AssistantId, UserId], object], *tables: Table) -> UserData:
    """A store for which it does not matter when a user is forgotten."""
    return UserData(tables, lambda connection, assistant, user, now_ms: forget(connection, assistant, user))


USER_DATA: Final = (
    _of(forget_user_sessions, SESSION),
    _of(forget_user_notices, SESSION_NOTICE),
    _of(CHAIN_STORE.forget_user, CHAIN_STORE.table),
    _of(REQUEST_STORE.forget_user, REQUEST_STORE.table),
    _of(forget_user_verdicts, ROW_VERDICTS),
    _of(forget_feedback, FEEDBACK, RATED_TURN, PERSON_ACCOUNT),
    *(UserData(kind.tables, kind.forget) for kind in SESSION_MODELS),
)
"""Every table that has a column `user_id` or `user_key` belongs to one of them. A user's own rewrites have
none: the rewrite table forgets them itself, with a version that tells its followers."""
