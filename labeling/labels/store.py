"""The label store: the labels of each turn."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, Connection, Double, SmallInteger, Text

from labeling.labels.turn_label import LabelName, SlotLabel, TurnLabel
from streams.session import Session, SessionId, turns_key
from streams.stores.turn_store import TurnChange, TurnStore, change_table, turn_columns, turn_table
from streams.turn import AssistantId, TurnEvent, UserId

LABELS = turn_table(
    "labels",
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

LABEL_CHANGE = change_table("label_change")
"""Turns whose labels the topic does not have as they are."""

PUBLISHING_TASK = "labels"
"""Name of the task that publishes labels."""

_AS_THEY_ARE: Final = (
    "goal_id", "goal_start", "goal_success", "defect",
    "satisfaction", "dissatisfaction", "dialogue_satisfaction", "dialogue_dissatisfaction",
)  # fmt: skip
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


LabelChange = TurnChange[LabelRecord]
"""A turn whose labels the topic does not have as they are."""


class SessionLabels(Struct, frozen=True):
    """The labels of a session, as a model gives them."""

    session: Session
    model: str
    labels: Sequence[TurnLabel]  # of each turn, in order


def defects_of(connection: Connection, sessions: Iterable[Session]) -> dict[SessionId, dict[int, float]]:
    """By session and position, the probability of a defect; without turns and sessions that have none.

    What was said of a session when it had other turns is left out.
    """
    by_id = {session.session_id: session for session in sessions}
    return {
        key: {position: defect for position, (_, defect) in enumerate(turns) if defect is not None}
        for key, turns in LABEL_STORE.column(connection, by_id, "defect").items()
        if turns_key(event_id for event_id, _ in turns) == by_id[key].turns_key
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
    rows = [
        _row(item.session, turn, item.model, label)
        for item in labelled
        for turn, label in zip(item.session.turns, item.labels, strict=True)
    ]
    return LABEL_STORE.replace(connection, [item.session.session_id for item in labelled], rows, now_ms)


def _row(session: Session, turn: TurnEvent, model: str, label: TurnLabel) -> dict[str, Any]:
    return turn_columns(session, turn, model) | {
        **{name: getattr(label, name) for name in _AS_THEY_ARE},
        "domain": _column_text(label.domain),
        "intent": _column_text(label.intent),
        "slots": None if label.slots is None else _ENCODER.encode(label.slots).decode(),
        "confidence": _ENCODER.encode(label.confidence).decode(),
        "abstained": _ENCODER.encode(label.abstained).decode(),
    }


def _column_text(name: str | None) -> str | None:
    """A name of the log as PostgreSQL takes it."""
    return name and name.replace("\x00", "")


def _record(values: dict[str, Any]) -> LabelRecord:
    slots = values.pop("slots")
    return LabelRecord(
        slots=None if slots is None else _SLOTS.decode(slots),
        confidence=_CONFIDENCE.decode(values.pop("confidence")),
        abstained=_ABSTAINED.decode(values.pop("abstained")),
        **values,
    )


LABEL_STORE: Final = TurnStore(
    LABELS, LABEL_CHANGE, task=PUBLISHING_TASK, written="labelled_ms", record=_record
)
"""The labels of turns; `store_labels` writes them."""
