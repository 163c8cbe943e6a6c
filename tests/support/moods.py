"""A fourth kind of session model, as somebody would add it: the mood of each turn, and a tally of moods.

The mood of a request is its first letter; the tally has a row for each assistant and mood.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from msgspec import Struct
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
)

from labeling.annotations.annotation import Annotations
from labeling.errors import LabelingError
from labeling.turns.export import TurnColumns
from services.assistant_work import AssistantWork
from services.session_models.effect import Effect
from services.session_models.kind import SessionModelKind, Trained, TurnVerdicts
from services.settings import Settings
from streams.session import Session, SessionId
from streams.stores.turn_store import TurnStore, change_table, turn_columns, turn_table
from streams.topic_names import Topics
from streams.turn import AssistantId, EventId, UserId
from streams.verdict import Judged

METADATA: Final = MetaData()
MOOD_TURN: Final = turn_table(
    "mood_turn",
    Column("mood", Text, nullable=False),
    Column("judged_ms", BigInteger, nullable=False),
    metadata=METADATA,
)
MOOD_CHANGE: Final = change_table("mood_change", metadata=METADATA)
MOOD_TALLY: Final = Table(
    "mood_tally",
    METADATA,
    Column("assistant_id", Text, primary_key=True),
    Column("mood", Text, primary_key=True),
    Column("turns", Integer, nullable=False),
)


class Mood(Struct, frozen=True, kw_only=True):
    """The mood of one turn."""

    event_id: EventId
    mood: str


class MoodRecord(Mood, frozen=True, kw_only=True):
    """The mood of one turn, and whose it is: the value of a record on the topic of moods."""

    schema_version: Literal[1] = 1
    assistant_id: AssistantId
    user_id: UserId
    session_id: SessionId
    ts_ms: int
    model: str


class MoodInputError(LabelingError):
    """A session that is in no mood."""


class MoodTrainingError(LabelingError):
    """Nothing to learn moods from."""


class LetterMoods:
    """A model that takes no session in which "refuse me" is said."""

    def __init__(self) -> None:
        self.judged = 0  # sessions

    def moods(self, session: Session) -> list[Mood]:
        if any(turn.request.text == "refuse me" for turn in session.turns):
            raise MoodInputError("this session is in no mood")
        return [Mood(event_id=EventId(turn.event_id), mood=turn.request.text[:1]) for turn in session.turns]


MOOD_STORE: Final = TurnStore(
    MOOD_TURN,
    MOOD_CHANGE,
    task="moods",
    written="judged_ms",
    record=lambda values: MoodRecord(**values),
)


class MoodEffect(Effect[list[Mood]]):
    """Stores moods, and keeps the tally."""

    def __init__(self, engine: Engine, settings: Settings, clock_ms: Callable[[], int]) -> None:
        self._clock_ms = clock_ms

    def keep(
        self, connection: Connection, judged: Sequence[Judged[list[Mood]]], void: Sequence[SessionId]
    ) -> Sequence[Session]:
        MOOD_STORE.drop(connection, void)
        rows = [row for item in judged for row in _rows(item)]
        MOOD_STORE.replace(connection, [x.session.session_id for x in judged], rows, self._clock_ms())
        _tally(connection)
        return ()

    def summary(self, connection: Connection, assistant_id: AssistantId) -> str:
        sessions, turns = MOOD_STORE.counts(connection, assistant_id)
        return f"{turns:,} turns in {sessions:,} sessions have moods"


def _rows(item: Judged[list[Mood]]) -> Iterator[dict[str, Any]]:
    for turn, mood in zip(item.session.turns, item.verdict, strict=True):
        yield turn_columns(item.session, turn, item.model) | {"mood": mood.mood}


def _tally(connection: Connection) -> None:
    rows = MOOD_TURN.c
    counted = select(rows.assistant_id, rows.mood, func.count()).group_by(rows.assistant_id, rows.mood)
    connection.execute(delete(MOOD_TALLY))
    connection.execute(insert(MOOD_TALLY).from_select(["assistant_id", "mood", "turns"], counted))


def _judge(model: LetterMoods, sessions: Sequence[Session]) -> list[list[Mood]]:
    found = [model.moods(session) for session in sessions]
    model.judged += len(sessions)
    return found


def _load(folder: Path) -> LetterMoods:
    return LetterMoods()


def _train(work: AssistantWork, annotations: Annotations) -> Trained:
    if not work.sessions():
        raise MoodTrainingError("no session is stored")
    return Trained(name="moods-letters", examples=1, in_words="a mood model learned the alphabet")


def _topic(topics: Topics) -> str:
    return topics.labels.replace("labels", "moods")


def _forget(connection: Connection, assistant_id: AssistantId, user_id: UserId, now_ms: int) -> None:
    MOOD_STORE.forget_user(connection, assistant_id, user_id)
    _tally(connection)


def _fields() -> list[Any]:
    import pyarrow as pa

    return [pa.field("mood", pa.string(), nullable=False)]


def _values(mood: Mood) -> dict[str, Any]:
    return {"mood": mood.mood}


MOODS: Final = SessionModelKind[LetterMoods, list[Mood]](
    name="moods",
    artifact="moods",
    title="mood model",
    judged_as="moods of {:,} sessions read",
    without="no moods are read",
    remedy="make one with `rehear learn` on its log",
    learn_help="Train the mood model too (seconds).",
    work_help="sessions to moods of their turns",
    load=_load,
    judge=_judge,
    refusal=MoodInputError,
    train=_train,
    training_error=MoodTrainingError,
    effect=MoodEffect,
    known=MOOD_STORE.known,
    outdate=MOOD_STORE.outdate,
    turns=TurnVerdicts(
        store=MOOD_STORE,
        topic=_topic,
        verdict=Mood,
        columns=TurnColumns(_fields, _values),
        missing="`rehear learn` trains a mood model",
    ),
    tables=(MOOD_TURN, MOOD_TALLY),
    forget=_forget,
)
