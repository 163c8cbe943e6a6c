"""What users say outright about an answer or a rewrite, kept in the database.

Whoever stores turns works out which turn an entry is about (`rewriting.feedback.settling`).
"""

import hashlib
from collections.abc import Callable
from typing import Final, Literal, Protocol

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Engine,
    Index,
    String,
    Table,
    Text,
    and_,
    delete,
    select,
    true,
    update,
)

from streams.stores.database_schema import METADATA, is_among, reading, upsert
from streams.stores.session_store import is_of_user
from streams.turn import AssistantId, Feedback, UserId

Outcome = Literal[
    "applied",  # a turn carries it, or a later word about the same turn
    "no_turn",  # no turn that it can be about has come yet
    "other_user",  # the turn is not of the user who says so, or was forgotten with its user
]

NEW: Final = "new"
"""The outcome of an entry that nobody has looked at."""

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("feedback_id", Text, primary_key=True),
    Column("assistant_id", Text, nullable=False, index=True),
    Column("user_id", Text, nullable=False),
    Column("event_id", Text),
    Column("rewrite_id", Text),
    Column("feedback", Text, nullable=False),
    Column("comment", Text),
    Column("received_ms", BigInteger, nullable=False),
    Column("outcome", String(20), nullable=False, server_default=NEW),
    Column("applied_to", Text),  # event id of the turn; null: of none
)
Index("ix_feedback_assistant_id_event_id", FEEDBACK.c.assistant_id, FEEDBACK.c.event_id)
Index("ix_feedback_assistant_id_user_id", FEEDBACK.c.assistant_id, FEEDBACK.c.user_id)
Index("ix_feedback_assistant_id_applied_to", FEEDBACK.c.assistant_id, FEEDBACK.c.applied_to)
_IS_NEW = FEEDBACK.c.outcome == NEW
Index("ix_feedback_new", FEEDBACK.c.outcome, sqlite_where=_IS_NEW, postgresql_where=_IS_NEW)

RATED_TURN = Table(
    "rated_turn",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("own", Text),  # the feedback in the turn event as it came
    Column("stale", Boolean, nullable=False, index=True),  # an entry about it was forgotten
)
"""Turns that carry feedback from entries."""

PERSON_ACCOUNT = Table(
    "person_account",
    METADATA,
    Column("person_key", BigInteger, primary_key=True, autoincrement=False),  # hash of assistant and person
    Column("user_key", BigInteger, primary_key=True, autoincrement=False),
    Column("assistant_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
)
"""The users whose turns name a person: they may speak for each other's turns of this person."""
Index("ix_person_account_user_key", PERSON_ACCOUNT.c.user_key)


class FeedbackEntry(Struct, frozen=True, kw_only=True):
    """What one user said about one turn or one rewrite; a later word replaces an earlier one."""

    assistant_id: str
    user_id: str
    event_id: str | None  # the turn, or
    rewrite_id: str | None  # the rewrite that it is about; at least one of the two
    feedback: Feedback
    comment: str | None
    received_ms: int

    @property
    def feedback_id(self) -> str:
        """The same for every word of this user about this turn and rewrite."""
        about = [self.assistant_id, self.user_id, self.event_id or "", self.rewrite_id or ""]
        return hashlib.blake2b("\x00".join(about).encode(), digest_size=12).hexdigest()


class FeedbackStore(Protocol):
    """Where feedback goes."""

    def save(self, entry: FeedbackEntry) -> None:
        """Keeps an entry, in the place of an earlier one with its id."""


class DatabaseFeedbackStore:
    """Feedback in the table `feedback`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, entry: FeedbackEntry) -> None:
        """Keeps an entry, in the place of an earlier one with its id; it is new until it is settled."""
        said = {name: getattr(entry, name) for name in FeedbackEntry.__struct_fields__}
        row = {"feedback_id": entry.feedback_id, **said, "outcome": NEW}
        with self._engine.begin() as connection:
            upsert(connection, FEEDBACK, [row])  # what it was applied to stays, until it is settled again

    def of_assistant(self, assistant_id: str) -> list[FeedbackEntry]:
        """All feedback for an assistant, oldest first."""
        statement = (
            select(*(FEEDBACK.c[name] for name in FeedbackEntry.__struct_fields__))
            .where(FEEDBACK.c.assistant_id == assistant_id)
            .order_by(FEEDBACK.c.received_ms, FEEDBACK.c.feedback_id)
        )
        with reading(self._engine) as connection:
            return [FeedbackEntry(**row) for row in connection.execute(statement).mappings()]


def forget_feedback(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Deletes what a user said, and which of the user's turns feedback is about.

    Turns of other users that carry it get back what they had, or what others have said, when feedback is next
    settled.
    """
    said = and_(FEEDBACK.c.assistant_id == assistant_id, FEEDBACK.c.user_id == user_id)
    rated = connection.scalars(
        select(FEEDBACK.c.applied_to).where(said, FEEDBACK.c.applied_to.is_not(None))
    ).all()
    connection.execute(delete(FEEDBACK).where(said))
    connection.execute(
        update(RATED_TURN)
        .where(RATED_TURN.c.assistant_id == assistant_id, is_among(connection, RATED_TURN.c.event_id, rated))
        .values(stale=True)
    )
    of_user = is_of_user(RATED_TURN, assistant_id, user_id)
    gone = connection.scalars(select(RATED_TURN.c.event_id).where(of_user)).all()
    connection.execute(
        update(FEEDBACK)
        .where(FEEDBACK.c.assistant_id == assistant_id, is_among(connection, FEEDBACK.c.applied_to, gone))
        .values(outcome="other_user", applied_to=None)
    )
    connection.execute(delete(RATED_TURN).where(of_user))
    connection.execute(delete(PERSON_ACCOUNT).where(is_of_user(PERSON_ACCOUNT, assistant_id, user_id)))


def has_feedback(connection: Connection) -> bool:
    """Whether anybody has said anything, or what a turn carries is to be renewed."""
    return _any(connection, FEEDBACK.c.feedback_id) or _any(connection, RATED_TURN.c.event_id)


def has_unsettled_feedback(connection: Connection) -> bool:
    """Whether there are entries that nobody has looked at, or turns whose feedback was forgotten."""
    return _any(connection, FEEDBACK.c.feedback_id, _IS_NEW) or _any(
        connection, RATED_TURN.c.event_id, RATED_TURN.c.stale == true()
    )


def _any(connection: Connection, column: Column[str], *conditions: ColumnElement[bool]) -> bool:
    return connection.execute(select(column).where(*conditions).limit(1)).first() is not None


ForgetUser = Callable[[str, str], None]
"""Deletes all that is known of a user of an assistant: (assistant id, user id)."""
