"""The failure store: the failure point of each turn, and of what was said at which most turns fail.

A turn that has failed, and of which the model does not abstain, counts for its source: the words that were
said, whatever was run for them, and the question that they came after. By these the rewrite table is told
what fails most often in what it replaces.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, ColumnElement, Connection, Index, Text, func, null, select

from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import FailurePoint
from labeling.text.normalisation import normalise
from labeling.text.question import Question, question_before
from streams.session import Session, SessionId
from streams.stores.database_schema import is_among
from streams.stores.session_store import is_of_user, user_key
from streams.stores.turn_store import TurnStore, change_table, turn_columns, turn_table
from streams.turn import AssistantId, EventId, TurnEvent, UserId

FAILURES = turn_table(
    "failures",
    Column("failure_point", Text, nullable=False),
    Column("probabilities", Text, nullable=False),  # JSON object
    Column("abstains", Boolean, nullable=False),
    Column("source_key", BigInteger),  # hash of assistant and source text
    Column("source_text", Text),  # normalised, as it was said; null, as the other two: it counts for none
    Column("question", Text),  # that was asked before
    Column("isolated_ms", BigInteger, nullable=False),  # when this was said
)
_COUNTS = FAILURES.c.source_key.is_not(None)
Index("ix_failures_source_key", FAILURES.c.source_key, sqlite_where=_COUNTS, postgresql_where=_COUNTS)

FAILURE_CHANGE = change_table("failure_change")
"""Turns whose failure points the topic does not have as they are."""

PUBLISHING_TASK = "failures"
"""Name of the task that publishes failure points."""

_SOURCE_COLUMNS: Final = ("source_key", "source_text", "question")
_PROBABILITIES = msgspec.json.Decoder(dict[FailurePoint, float])
_ENCODER = msgspec.json.Encoder()


class FailureRecord(TurnFailure, frozen=True, kw_only=True):
    """The failure point of one turn, and whose it is: the value of a record on the failures topic."""

    schema_version: Literal[1] = 1
    assistant_id: AssistantId
    user_id: UserId
    session_id: SessionId
    ts_ms: int  # of the turn, milliseconds since 1970
    model: str  # name of the one that says so


class SessionFailures(Struct, frozen=True):
    """The failure points of a session, as a model gives them."""

    session: Session
    model: str
    failures: Sequence[TurnFailure]  # of each turn, in order


class FailedTurn(Struct, frozen=True):
    """A turn that counts for its source."""

    assistant_id: AssistantId
    event_id: EventId
    user_id: UserId
    source_text: str  # normalised
    question: Question
    failure_point: FailurePoint


class FailureTally(Struct, frozen=True):
    """Turns with one source that failed at one point."""

    user_id: UserId | None  # None: of all users
    source_text: str
    question: Question
    failure_point: FailurePoint
    turns: int
    first_user_key: (
        int  # the least `user_key` of their users, and the greatest: the same where it is one user
    )
    last_user_key: int


def store_failures(connection: Connection, isolated: Sequence[SessionFailures], now_ms: int) -> int:
    """Stores the failure points of sessions, each in the place of what is stored of it.

    Args:
        connection: in a transaction that writes.
        isolated: sessions as they are now, each at most once.
        now_ms: milliseconds since 1970.

    Returns:
        Of how many turns something else is said than before.
    """
    rows = []
    for item in isolated:
        before: TurnEvent | None = None
        for turn, failure in zip(item.session.turns, item.failures, strict=True):
            rows.append(_row(item, turn, before, failure))
            before = turn
    return FAILURE_STORE.replace(connection, [item.session.session_id for item in isolated], rows, now_ms)


def failed_turns(connection: Connection, session_ids: Iterable[SessionId]) -> set[FailedTurn]:
    """The turns of some sessions that count for their sources."""
    return _failed_turns(connection, is_among(connection, FAILURES.c.session_id, list(session_ids)))


def failed_turns_of(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> set[FailedTurn]:
    """The turns of a user that count for their sources."""
    return _failed_turns(connection, is_of_user(FAILURES, assistant_id, user_id))


def failure_tallies(
    connection: Connection,
    assistant_id: AssistantId,
    source_texts: Iterable[str],
    users: Iterable[UserId] | None = None,
) -> list[FailureTally]:
    """How often turns with some sources failed at which point, by question; in no order.

    Args:
        connection: to read on.
        assistant_id: of the turns.
        source_texts: normalised.
        users: whose turns, counted for each of them; None: those of all, together.
    """
    rows = FAILURES.c
    key = rows.user_key
    # The assistant is in the key. Beside it, it would lead SQLite to all rows of the assistant.
    whose = rows.assistant_id
    by_source = [rows.source_text, rows.question, rows.failure_point]
    tallied = [func.count(), func.min(key), func.max(key)]
    keys = [_source_key(assistant_id, text) for text in sorted(set(source_texts))]
    of_source = is_among(connection, rows.source_key, keys)
    if users is None:
        query = select(whose, null(), *by_source, *tallied).where(of_source).group_by(whose, *by_source)
    else:
        user_keys = [user_key(assistant_id, user) for user in sorted(set(users))]
        query = select(whose, rows.user_id, *by_source, *tallied)
        query = query.where(of_source, is_among(connection, key, user_keys))
        query = query.group_by(whose, rows.user_id, *by_source)
    return [FailureTally(*row) for owner, *row in connection.execute(query) if owner == assistant_id]


def _failed_turns(connection: Connection, condition: ColumnElement[bool]) -> set[FailedTurn]:
    columns = [FAILURES.c[name] for name in FailedTurn.__struct_fields__]
    return {FailedTurn(*row) for row in connection.execute(select(*columns).where(_COUNTS, condition))}


def _row(
    item: SessionFailures, turn: TurnEvent, before: TurnEvent | None, failure: TurnFailure
) -> dict[str, Any]:
    source: tuple[Any, ...] = (None, None, None)
    text = normalise(turn.request.text)
    if text and failure.failure_point != "correct" and not failure.abstains:
        question = question_before(turn, before)
        source = _source_key(item.session.assistant_id, text), text, question
    return (
        turn_columns(item.session, turn, item.model)
        | {
            "failure_point": failure.failure_point,
            "probabilities": _ENCODER.encode(failure.probabilities).decode(),
            "abstains": failure.abstains,
        }
        | dict(zip(_SOURCE_COLUMNS, source, strict=True))
    )


def _source_key(assistant_id: AssistantId, text: str) -> int:
    """64 bits that stand for a source text: a text can be too long for an index."""
    digest = hashlib.blake2b(f"{assistant_id}\x00{text}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def _record(values: dict[str, Any]) -> FailureRecord:
    return FailureRecord(probabilities=_PROBABILITIES.decode(values.pop("probabilities")), **values)


FAILURE_STORE: Final = TurnStore(
    FAILURES,
    FAILURE_CHANGE,
    task=PUBLISHING_TASK,
    written="isolated_ms",
    internal=_SOURCE_COLUMNS,
    record=_record,
)
"""The failure points of turns; `store_failures` writes them."""
