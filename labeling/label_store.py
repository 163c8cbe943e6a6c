"""The label store: the labels of each turn, and which of them the topic does not have yet.

Labels are stored by session, each session in the place of what is stored of it. The same labels again change
nothing. Of each change, the key of the turn is noted: with its labels, or as withdrawn where there are none
any more, it goes to the topic, and the note is taken away when the topic has it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Double,
    RowMapping,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    select,
)

from labeling.turn_label import LabelName, SlotLabel, TurnLabel
from streams.checkpoint import has_read
from streams.database_schema import METADATA, chunks, is_among, upsert
from streams.session import Session, SessionId, turns_key
from streams.session_store import user_key
from streams.turn import AssistantId, EventId, UserId

LABELS = Table(
    "labels",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("user_key", BigInteger, nullable=False, index=True),
    Column("session_id", String(24), nullable=False, index=True),
    Column("ts_ms", BigInteger, nullable=False),  # of the turn
    Column("model", Text, nullable=False),  # name of the one that gave the labels
    Column("goal_id", Text, nullable=False),
    Column("goal_start", Boolean, nullable=False),
    Column("goal_success", Double),
    Column("defect", Double),
    Column("satisfaction", SmallInteger),
    Column("dissatisfaction", Double),
    Column("dialogue_satisfaction", SmallInteger),
    Column("dialogue_dissatisfaction", Double),
    Column("domain", Text),
    Column("intent", Text),
    Column("slots", Text),  # JSON array of SlotLabel
    Column("confidence", Text, nullable=False),  # JSON object
    Column("abstained", Text, nullable=False),  # JSON array
    Column("labelled_ms", BigInteger, nullable=False),  # when these labels were given
)

LABEL_CHANGE = Table(
    "label_change",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("stamp", BigInteger, nullable=False, index=True),  # larger with each change
)
"""Turns whose labels the topic does not have as they are."""

PUBLISHING_TASK = "labels"
"""Name of the task that publishes labels."""

_LABEL_COLUMNS = [column for column in LABELS.columns if column.name not in ("user_key", "labelled_ms")]
_SLOTS = msgspec.json.Decoder(tuple[SlotLabel, ...])
_CONFIDENCE = msgspec.json.Decoder(dict[LabelName, float])
_ABSTAINED = msgspec.json.Decoder(tuple[LabelName, ...])
_ENCODER = msgspec.json.Encoder()


class LabelRecord(TurnLabel, frozen=True, kw_only=True):
    """The labels of one turn, and whose they are: the value of a record on the labels topic."""

    schema_version: Literal[1] = 1
    assistant_id: AssistantId
    user_id: UserId
    session_id: SessionId
    ts_ms: int  # of the turn, milliseconds since 1970
    model: str  # name of the one that gave the labels


class SessionLabels(Struct, frozen=True):
    """The labels of a session, as a model gives them."""

    session: Session
    model: str
    labels: Sequence[TurnLabel]  # of each turn, in order


class LabelChange(Struct, frozen=True):
    """A turn whose labels the topic does not have as they are."""

    assistant_id: AssistantId
    event_id: EventId
    stamp: int
    record: LabelRecord | None  # None: withdrawn

    @property
    def key(self) -> str:
        """Key of the record on the topic."""
        return f"{self.assistant_id}/{self.event_id}"


def labelled_sessions(
    connection: Connection, session_ids: Iterable[SessionId]
) -> dict[SessionId, tuple[str, int]]:
    """Of sessions with labels: the name of the model, and the `turns_key` of the turns that have them."""
    rows = LABELS.c
    query = select(rows.session_id, rows.ts_ms, rows.event_id, rows.model)
    found: dict[SessionId, list[tuple[int, str, str]]] = {}
    for ids in chunks(list(session_ids)):
        for key, *turn in connection.execute(query.where(is_among(connection, rows.session_id, ids))):
            found.setdefault(SessionId(key), []).append((turn[0], turn[1], turn[2]))
    return {
        key: (turns[0][2], turns_key(event_id for _, event_id, _ in sorted(turns)))
        for key, turns in found.items()
    }


def stored_labels(
    connection: Connection, session_ids: Iterable[SessionId]
) -> dict[SessionId, list[LabelRecord]]:
    """The labels of sessions, in the order of the turns; without the sessions that have none."""
    found: dict[SessionId, list[LabelRecord]] = {}
    for ids in chunks(list(session_ids)):
        query = select(*_LABEL_COLUMNS).where(is_among(connection, LABELS.c.session_id, ids))
        for row in connection.execute(query):
            record = _record(row)
            found.setdefault(record.session_id, []).append(record)
    for records in found.values():
        records.sort(key=lambda record: (record.ts_ms, record.event_id))
    return found


def defects_of(connection: Connection, sessions: Iterable[Session]) -> dict[SessionId, dict[int, float]]:
    """By session and position, the probability of a defect; without turns and sessions that have none.

    What was said of a session when it had other turns is left out.
    """
    rows = LABELS.c
    query = select(rows.session_id, rows.ts_ms, rows.event_id, rows.defect)
    by_id = {session.session_id: session for session in sessions}
    found: dict[SessionId, list[tuple[int, str, float | None]]] = {}
    for ids in chunks(list(by_id)):
        for key, *turn in connection.execute(query.where(is_among(connection, rows.session_id, ids))):
            found.setdefault(SessionId(key), []).append((turn[0], turn[1], turn[2]))
    return {
        key: {position: defect for position, (_, _, defect) in enumerate(sorted(turns)) if defect is not None}
        for key, turns in found.items()
        if turns_key(event_id for _, event_id, _ in sorted(turns)) == by_id[key].turns_key
    }


def store_labels(connection: Connection, labelled: Sequence[SessionLabels], now_ms: int) -> int:
    """Stores the labels of sessions, each in the place of what is stored of it.

    Args:
        connection: in a transaction that writes.
        labelled: sessions as they are now, each at most once.
        now_ms: milliseconds since 1970.

    Returns:
        How many turns have other labels than before.
    """
    before = {
        (row["assistant_id"], row["event_id"]): row
        for row in _rows(connection, [item.session.session_id for item in labelled])
    }
    rows = [
        _row(item.session, turn.ts_ms, item.model, label)
        for item in labelled
        for turn, label in zip(item.session.turns, item.labels, strict=True)
    ]
    changed = []
    gone = set(before)
    for row in rows:
        key = row["assistant_id"], row["event_id"]
        gone.discard(key)
        known = before.get(key)
        if known is None or any(known[name] != value for name, value in row.items()):
            changed.append(row | {"labelled_ms": now_ms})
    _delete(connection, gone)
    upsert(connection, LABELS, changed)
    _note(connection, gone | {(row["assistant_id"], row["event_id"]) for row in changed})
    return len(gone) + len(changed)


def drop_labels(connection: Connection, session_ids: Collection[SessionId]) -> None:
    """Withdraws the labels of sessions that are no more, or have other turns now."""
    gone = {(row["assistant_id"], row["event_id"]) for row in _rows(connection, session_ids)}
    _delete(connection, gone)
    _note(connection, gone)


def are_published(connection: Connection) -> bool:
    """Whether labels are published: from the first session on that the task has read."""
    return has_read(connection, PUBLISHING_TASK)


def forget_user_labels(connection: Connection, assistant_id: AssistantId, user_id: UserId) -> None:
    """Deletes the labels of a user's turns, and withdraws them where labels are published.

    That needs the ids of their events, until it is done. Where labels are not published, nothing is kept.
    """
    rows = LABELS.c
    of_user = (
        rows.user_key == user_key(assistant_id, user_id),
        rows.assistant_id == assistant_id,
        rows.user_id == user_id,
    )
    gone = {(assistant_id, key) for key in connection.scalars(select(rows.event_id).where(*of_user))}
    connection.execute(delete(LABELS).where(*of_user))
    if are_published(connection):
        _note(connection, gone)
    else:
        for keys in chunks([key for _, key in gone]):
            connection.execute(
                delete(LABEL_CHANGE).where(
                    LABEL_CHANGE.c.assistant_id == assistant_id,
                    is_among(connection, LABEL_CHANGE.c.event_id, keys),
                )
            )


def has_label_changes(connection: Connection) -> bool:
    """Whether the topic lacks anything."""
    return connection.execute(select(LABEL_CHANGE.c.stamp).limit(1)).first() is not None


def label_changes(connection: Connection, limit: int) -> list[LabelChange]:
    """What the topic lacks, the oldest first; `limit` changes at most."""
    changes = LABEL_CHANGE.c
    of_turn = and_(LABELS.c.assistant_id == changes.assistant_id, LABELS.c.event_id == changes.event_id)
    query = (
        select(*LABEL_CHANGE.columns, *_LABEL_COLUMNS)
        .select_from(LABEL_CHANGE.outerjoin(LABELS, of_turn))
        .order_by(changes.stamp, changes.assistant_id, changes.event_id)
        .limit(limit)
    )
    found = []
    for assistant_id, event_id, stamp, *labels in connection.execute(query):
        record = None if labels[0] is None else _record(labels)
        found.append(LabelChange(AssistantId(assistant_id), EventId(event_id), stamp, record))
    return found


def mark_announced(connection: Connection, changes: Iterable[LabelChange]) -> None:
    """Says that the topic has these; a turn that has changed again since stays noted."""
    rows = [
        {"of_assistant": change.assistant_id, "of_event": change.event_id, "of_stamp": change.stamp}
        for change in changes
    ]
    if rows:
        statement = delete(LABEL_CHANGE).where(
            LABEL_CHANGE.c.assistant_id == bindparam("of_assistant"),
            LABEL_CHANGE.c.event_id == bindparam("of_event"),
            LABEL_CHANGE.c.stamp == bindparam("of_stamp"),
        )
        connection.execute(statement, rows)


def label_counts(connection: Connection, assistant_id: AssistantId) -> tuple[int, int]:
    """How many sessions and how many turns have labels."""
    query = select(func.count(LABELS.c.session_id.distinct()), func.count()).where(
        LABELS.c.assistant_id == assistant_id
    )
    sessions, turns = connection.execute(query).one()
    return sessions, turns


def labelled_assistants(connection: Connection) -> list[AssistantId]:
    """The assistants that have labels, sorted."""
    return sorted(AssistantId(key) for key in connection.scalars(select(LABELS.c.assistant_id).distinct()))


def _rows(connection: Connection, session_ids: Collection[SessionId]) -> list[RowMapping]:
    return [
        row
        for ids in chunks(list(session_ids))
        for row in connection.execute(
            select(LABELS).where(is_among(connection, LABELS.c.session_id, ids))
        ).mappings()
    ]


def _delete(connection: Connection, turns: Iterable[tuple[str, str]]) -> None:
    by_assistant: dict[str, list[str]] = {}
    for assistant_id, event_id in turns:
        by_assistant.setdefault(assistant_id, []).append(event_id)
    for assistant_id, event_ids in by_assistant.items():
        for keys in chunks(event_ids):
            connection.execute(
                delete(LABELS).where(
                    LABELS.c.assistant_id == assistant_id, is_among(connection, LABELS.c.event_id, keys)
                )
            )


def _note(connection: Connection, turns: Iterable[tuple[str, str]]) -> None:
    stamp = (connection.execute(select(func.max(LABEL_CHANGE.c.stamp))).scalar() or 0) + 1
    rows = [
        {"assistant_id": assistant_id, "event_id": event_id, "stamp": stamp}
        for assistant_id, event_id in sorted(turns)
    ]
    upsert(connection, LABEL_CHANGE, rows)


def _row(session: Session, ts_ms: int, model: str, label: TurnLabel) -> dict[str, Any]:
    return {
        "assistant_id": session.assistant_id,
        "event_id": label.event_id,
        "user_id": session.user_id,
        "user_key": user_key(session.assistant_id, session.user_id),
        "session_id": session.session_id,
        "ts_ms": ts_ms,
        "model": model,
        "goal_id": label.goal_id,
        "goal_start": label.goal_start,
        "goal_success": label.goal_success,
        "defect": label.defect,
        "satisfaction": label.satisfaction,
        "dissatisfaction": label.dissatisfaction,
        "dialogue_satisfaction": label.dialogue_satisfaction,
        "dialogue_dissatisfaction": label.dialogue_dissatisfaction,
        "domain": _column_text(label.domain),
        "intent": _column_text(label.intent),
        "slots": None if label.slots is None else _ENCODER.encode(label.slots).decode(),
        "confidence": _ENCODER.encode(label.confidence).decode(),
        "abstained": _ENCODER.encode(label.abstained).decode(),
    }


def _column_text(name: str | None) -> str | None:
    """A name of the log as PostgreSQL takes it."""
    return name and name.replace("\x00", "")


def _record(row: Iterable[Any]) -> LabelRecord:
    values = {column.name: value for column, value in zip(_LABEL_COLUMNS, row, strict=True)}
    slots = values.pop("slots")
    return LabelRecord(
        slots=None if slots is None else _SLOTS.decode(slots),
        confidence=_CONFIDENCE.decode(values.pop("confidence")),
        abstained=_ABSTAINED.decode(values.pop("abstained")),
        **values,
    )
