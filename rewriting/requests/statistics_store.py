"""Request statistics in the database: what the lookup reads of all users of an assistant.

A row is found by a hash of what it tells of, so it does not name that; and it names no user.
"""

import hashlib
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    LargeBinary,
    SmallInteger,
    delete,
    select,
)

from labeling.text.question import Question
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.counts import TouchedKeys
from rewriting.requests.statistics import (
    AnswerStatistics,
    InterpretationStatistics,
    Outcomes,
    QuestionStatistics,
    RepairStatistics,
    StatisticsSource,
    TextKey,
    TextStatistics,
)
from rewriting.requests.step import RequestText
from streams.stores.assistant_row import assistant_table
from streams.stores.database_schema import is_among, upsert
from streams.turn import AssistantId

REQUEST_STATISTICS = assistant_table(
    "request_statistics",
    Column("kind", SmallInteger, primary_key=True, autoincrement=False),  # a StatisticsKind
    Column("key", BigInteger, primary_key=True, autoincrement=False),  # hash of what it tells of, and kind
    Column("value", LargeBinary, nullable=False),  # the statistics as MessagePack, dicts in order
)

_Statistics = TextStatistics | InterpretationStatistics | QuestionStatistics
_RowKey = tuple["StatisticsKind", int]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_Known = TypeVar("_Known", TextStatistics, InterpretationStatistics, QuestionStatistics)


class StatisticsKind(IntEnum):
    """What a row tells of."""

    TEXT = 1  # or a text after a question
    INTERPRETATION = 2
    QUESTION = 3


_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[StatisticsKind, msgspec.msgpack.Decoder[Any]] = {
    StatisticsKind.TEXT: msgspec.msgpack.Decoder(TextStatistics),
    StatisticsKind.INTERPRETATION: msgspec.msgpack.Decoder(InterpretationStatistics),
    StatisticsKind.QUESTION: msgspec.msgpack.Decoder(QuestionStatistics),
}
_ROWS_AT_A_TIME = 10_000


def store_statistics(
    connection: Connection, assistant_id: AssistantId, source: StatisticsSource, keys: TouchedKeys
) -> None:
    """Stores what a source tells of some keys; of what it tells nothing, the row is deleted.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose statistics.
        source: of them.
        keys: of what has changed.
    """
    told, untold = [], []
    for (kind, key), statistics in _rows(source, keys):
        if statistics is None:
            untold.append(key)
        else:
            told.append(_row(assistant_id, kind, key, _encoded(statistics)))
    upsert(connection, REQUEST_STATISTICS, told)
    _delete(connection, assistant_id, untold)


def replace_statistics(
    connection: Connection, assistant_id: AssistantId, source: StatisticsSource, keys: TouchedKeys
) -> None:
    """Stores what a source tells of all keys, and nothing else; rows that are right already stay untouched.

    Arguments as for `store_statistics`; `keys` are all that there are.
    """
    warranted = {
        row_key: _encoded(statistics) for row_key, statistics in _rows(source, keys) if statistics is not None
    }
    query = select(REQUEST_STATISTICS.c.kind, REQUEST_STATISTICS.c.key, REQUEST_STATISTICS.c.value).where(
        REQUEST_STATISTICS.c.assistant_id == assistant_id
    )
    gone = []
    for kind, key, value in connection.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME)):
        row_key = StatisticsKind(kind), key
        if row_key not in warranted:
            gone.append(key)
        elif warranted[row_key] == value:
            del warranted[row_key]
    upsert(
        connection,
        REQUEST_STATISTICS,
        [_row(assistant_id, kind, key, value) for (kind, key), value in warranted.items()],
    )
    _delete(connection, assistant_id, gone)


class StoredStatistics(StatisticsSource):
    """The statistics of one assistant, read when they are asked for; each at most once.

    Make one for each request, or for a batch: what was read stays as it was.
    """

    def __init__(self, connection: Connection, assistant_id: AssistantId) -> None:
        self._connection = connection
        self._assistant_id = assistant_id
        self._known: dict[_RowKey, _Statistics | None] = {}

    def prefetch(
        self,
        texts: Iterable[TextKey] = (),
        interpretations: Iterable[Interpretation] = (),
        questions: Iterable[Question] = (),
    ) -> None:
        """Reads what will be asked for next and is not known yet, in one query."""
        keys = [_text_key(*text) for text in texts]
        keys += map(_interpretation_key, interpretations)
        keys += map(_question_key, questions)
        self._read([key for key in keys if key not in self._known])

    def text(self, text: RequestText, question: Question) -> TextStatistics | None:
        """Of a text after a question; of the empty question: of the text anywhere."""
        return self._statistics(_text_key(text, question), TextStatistics)

    def interpretation(self, interpretation: Interpretation) -> InterpretationStatistics | None:
        """Of an interpretation."""
        return self._statistics(_interpretation_key(interpretation), InterpretationStatistics)

    def question(self, question: Question) -> QuestionStatistics | None:
        """Of a question."""
        return self._statistics(_question_key(question), QuestionStatistics)

    def _statistics(self, key: _RowKey, wanted: type[_Known]) -> _Known | None:
        if key not in self._known:
            self._read([key])
        found = self._known[key]
        return found if isinstance(found, wanted) else None

    def _read(self, keys: list[_RowKey]) -> None:
        if not keys:
            return
        self._known.update(dict.fromkeys(keys))
        lists: list[Any] = [sorted({kind.value for kind, _ in keys}), [key for _, key in keys]]
        statement = _READ_POSTGRES
        if self._connection.dialect.name != "postgresql":
            statement, lists = _READ_SQLITE, [msgspec.json.encode(items).decode() for items in lists]
        for kind, key, value in self._connection.exec_driver_sql(statement, (self._assistant_id, *lists)):
            found = StatisticsKind(kind)
            self._known[found, key] = _DECODERS[found].decode(value)


_READ_POSTGRES = (
    "SELECT kind, key, value FROM request_statistics "
    "WHERE assistant_id = %s AND kind = ANY(%s) AND key = ANY(%s)"
)
_READ_SQLITE = (
    "SELECT kind, key, value FROM request_statistics WHERE assistant_id = ? "
    "AND kind IN (SELECT value FROM json_each(?)) AND key IN (SELECT value FROM json_each(?))"
)
"""As text: composing them would take longer than reading."""


def _text_key(text: RequestText, question: Question) -> _RowKey:
    return _row_key(StatisticsKind.TEXT, text, question)


def _interpretation_key(interpretation: Interpretation) -> _RowKey:
    return _row_key(StatisticsKind.INTERPRETATION, interpretation)


def _question_key(question: Question) -> _RowKey:
    return _row_key(StatisticsKind.QUESTION, question)


def _row_key(kind: StatisticsKind, *words: str) -> _RowKey:
    """The hash has 63 bits: of a hundred million rows, two are taken for one with a probability of 0.05 %."""
    digest = hashlib.blake2b("\x00".join((str(kind.value), *words)).encode(), digest_size=8).digest()
    return kind, int.from_bytes(digest, "big") >> 1


def _rows(source: StatisticsSource, keys: TouchedKeys) -> Iterator[tuple[_RowKey, _Statistics | None]]:
    for text, question in keys.texts:
        yield _text_key(text, question), source.text(text, question)
    for interpretation in keys.interpretations:
        yield _interpretation_key(interpretation), source.interpretation(interpretation)
    for question in keys.questions:
        yield _question_key(question), source.question(question)


def _row(assistant_id: AssistantId, kind: StatisticsKind, key: int, value: bytes) -> dict[str, object]:
    return {"assistant_id": assistant_id, "kind": kind.value, "key": key, "value": value}


def _delete(connection: Connection, assistant_id: AssistantId, keys: list[int]) -> None:
    if keys:
        connection.execute(
            delete(REQUEST_STATISTICS).where(
                REQUEST_STATISTICS.c.assistant_id == assistant_id,
                REQUEST_STATISTICS.c.kind.in_([kind.value for kind in StatisticsKind]),
                is_among(connection, REQUEST_STATISTICS.c.key, keys),
            )
        )


def _encoded(statistics: _Statistics) -> bytes:
    """The same bytes for the same statistics, in whatever order they were counted."""
    ordered: _Statistics
    if isinstance(statistics, TextStatistics):
        ordered = TextStatistics(
            _ordered_outcomes(statistics.outcomes),
            statistics.users,
            _ordered_repairs(statistics.repairs),
            _ordered(statistics.repair_bins),
        )
    elif isinstance(statistics, InterpretationStatistics):
        ordered = msgspec.structs.replace(
            statistics,
            outcomes=_ordered_outcomes(statistics.outcomes),
            met_weight=_shortest(statistics.met_weight),
            repairs=_ordered_repairs(statistics.repairs),
        )
    else:
        answers = _ordered(statistics.answers)
        ordered = QuestionStatistics(
            {key: AnswerStatistics(given.users, _shortest(given.weight)) for key, given in answers.items()},
            _shortest(statistics.weight),
        )
    return _ENCODER.encode(ordered)


def _ordered_outcomes(outcomes: Outcomes) -> Outcomes:
    success = {key: _shortest(weight) for key, weight in _ordered(outcomes.success).items()}
    return Outcomes(_ordered(outcomes.requests), success, _ordered(outcomes.shown))


def _shortest(weight: float) -> float:
    """A whole weight as a whole number, which takes one byte and not nine."""
    return int(weight) if weight == int(weight) else weight


def _ordered_repairs(
    repairs: dict[Interpretation, RepairStatistics],
) -> dict[Interpretation, RepairStatistics]:
    return {
        key: RepairStatistics(found.users, _ordered(found.bins))
        for key, found in sorted(repairs.items(), key=lambda item: item[0])
    }


def _ordered(counts: dict[_Key, _Value]) -> dict[_Key, _Value]:
    return {key: counts[key] for key in sorted(counts)}  # type: ignore[type-var]  # numbers or texts
