"""What users say outright about an answer or a rewrite, kept in the database."""

import hashlib
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct
from sqlalchemy import BigInteger, Column, Connection, Engine, Table, Text, delete, select

from streams.stores.database_schema import METADATA, reading, upsert
from streams.turn import Feedback

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
)


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
        """Keeps an entry, in the place of an earlier one with its id."""
        row = {column.name: getattr(entry, column.name) for column in FEEDBACK.columns}
        with self._engine.begin() as connection:
            upsert(connection, FEEDBACK, [row])

    def of_assistant(self, assistant_id: str) -> list[FeedbackEntry]:
        """All feedback for an assistant, oldest first."""
        statement = (
            select(*(FEEDBACK.c[name] for name in FeedbackEntry.__struct_fields__))
            .where(FEEDBACK.c.assistant_id == assistant_id)
            .order_by(FEEDBACK.c.received_ms, FEEDBACK.c.feedback_id)
        )
        with reading(self._engine) as connection:
            return [FeedbackEntry(**row) for row in connection.execute(statement).mappings()]


def forget_feedback(connection: Connection, assistant_id: str, user_id: str) -> None:
    """Deletes what a user said."""
    connection.execute(
        delete(FEEDBACK).where(FEEDBACK.c.assistant_id == assistant_id, FEEDBACK.c.user_id == user_id)
    )


ForgetUser = Callable[[str, str], None]
"""Deletes all that is known of a user of an assistant: (assistant id, user id)."""
