"""The stores that hold something of users: whoever forgets a user goes through all of them."""

from collections.abc import Callable
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection, Table

from failure_isolation.store import FAILURE_STORE
from labeling.labels.store import LABEL_STORE
from rewriting.chains.store import CHAIN_STORE
from rewriting.feedback.store import FEEDBACK, forget_feedback
from rewriting.rephrases.store import REPHRASE_PAIR, REPHRASE_SESSION, forget_user_rephrases
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.table.schema import ROW_VERDICTS
from rewriting.verdicts.store import forget_user_verdicts
from streams.stores.session_notice import SESSION_NOTICE, forget_user_notices
from streams.stores.session_store import SESSION, forget_user_sessions
from streams.turn import AssistantId, UserId


class UserData(Struct, frozen=True):
    """What one store holds of users."""

    tables: tuple[Table, ...]  # with a column `user_id` or `user_key`
    forget: Callable[[Connection, AssistantId, UserId], object]
    """Deletes what there is of a user, in a transaction in which nobody else changes sessions."""


USER_DATA: Final = (
    UserData((SESSION,), forget_user_sessions),
    UserData((SESSION_NOTICE,), forget_user_notices),
    UserData((CHAIN_STORE.table,), CHAIN_STORE.forget_user),
    UserData((REQUEST_STORE.table,), REQUEST_STORE.forget_user),
    UserData((REPHRASE_SESSION, REPHRASE_PAIR), forget_user_rephrases),
    UserData((ROW_VERDICTS,), forget_user_verdicts),
    UserData((LABEL_STORE.table,), LABEL_STORE.forget_user),
    UserData((FAILURE_STORE.table,), FAILURE_STORE.forget_user),
    UserData((FEEDBACK,), forget_feedback),
)
"""Every table that has a column `user_id` or `user_key` belongs to one of them. A user's own rewrites have
none: the rewrite table forgets them itself, with a version that tells its followers."""
