"""Session judging: what the model in use says of sessions that have changed.

A session is judged outside of the transactions, and once: not again where its verdict could not be written at
once, nor where what is stored of it was said by this very model of these very turns.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine

from services.learners.changed_sessions import changed_sessions
from services.session_models.in_use import CurrentModels
from services.session_models.kind import SessionModelKind
from streams.errors import RecordsRefusedError
from streams.session import Session, SessionId
from streams.session_record import SessionRecord
from streams.stores.database_schema import reading
from streams.stream_task import Received
from streams.verdict import Judged, Known

M = TypeVar("M")
V = TypeVar("V")


class JudgedBatch(Struct, Generic[V], frozen=True):
    """Sessions that have changed, and what is said of those that were to be judged."""

    records: tuple[SessionRecord, ...]  # each session once
    judged: tuple[Judged[V], ...] = ()
    partitions: dict[SessionId, int] = {}  # that the records came from


class SessionJudge(Generic[M, V]):
    """Judges the sessions that records name.

    Args:
        engine: of the database.
        kind: of the models.
        models: in use.
    """

    def __init__(
        self,
        engine: Engine,
        kind: SessionModelKind[M, V],
        models: CurrentModels[M],
    ) -> None:
        self._engine = engine
        self._kind = kind
        self._models = models
        # Not written yet: what was said, in case that writing has to be tried again, and what was refused.
        self._verdicts: dict[tuple[str, Session], V | Exception] = {}
        self._refused: dict[SessionId, SessionRecord] = {}

    def process(self, items: Sequence[Received[SessionRecord]]) -> JudgedBatch[V]:
        """Judges the sessions that have changed since they were judged, or were judged by another model.

        Raises:
            RecordsRefusedError: some name sessions that their model cannot take.
        """
        newest = {item.value.session_id: item for item in items}
        records = tuple(item.value for _, item in sorted(newest.items()))
        with reading(self._engine) as connection:
            sessions = [
                changed.session
                for changed in changed_sessions(connection, records)
                if changed.session is not None and len(changed.session.turns) >= self._kind.least_turns
            ]
            known = self._kind.known(connection, [session.session_id for session in sessions])
        judged: list[Judged[V]] = []
        refused: dict[SessionId, Exception] = {}
        for assistant_id in sorted({record.assistant_id for record in records}):
            current = self._models.of(assistant_id)
            if current is None:
                continue
            name, model = current
            new = [
                session
                for session in sessions
                if session.assistant_id == assistant_id
                and known.get(session.session_id) != (name, session.turns_key)
            ]
            for session, verdict in zip(new, self._verdicts_of(name, model, new), strict=True):
                if isinstance(verdict, Exception):
                    refused[session.session_id] = verdict
                else:
                    judged.append(Judged(session, name, verdict))
        if refused:
            self._refused |= {record.session_id: record for record in records if record.session_id in refused}
            raise RecordsRefusedError(
                {
                    (item.partition, item.offset): refused[item.value.session_id]
                    for item in items
                    if item.value.session_id in refused
                }
            )
        partitions = {key: item.partition for key, item in newest.items()}
        return JudgedBatch((*records, *self._refused.values()), tuple(judged), partitions)

    def forget(self) -> None:
        """Forgets what was said: it is written, or not ours to write any more."""
        self._verdicts.clear()
        self._refused.clear()

    def _verdicts_of(self, name: str, model: M, sessions: Sequence[Session]) -> list[V | Exception]:
        keys = [(name, session) for session in sessions]
        new = [session for key, session in zip(keys, sessions, strict=True) if key not in self._verdicts]
        said = judged_or_refused(self._kind, model, new)
        for session, verdict in zip(new, said, strict=True):
            self._verdicts[name, session] = verdict
        return [self._verdicts[key] for key in keys]


def judged_or_refused(
    kind: SessionModelKind[M, V], model: M, sessions: Sequence[Session]
) -> list[V | Exception]:
    """What a model says of each session, or why it cannot judge it.

    A session that cannot be judged costs the others nothing but time: they are tried again in halves.
    """
    if not sessions:
        return []
    try:
        return list(kind.judge(model, sessions))
    except kind.refusal as error:
        if len(sessions) == 1:
            return [error]
    middle = len(sessions) // 2
    return [
        *judged_or_refused(kind, model, sessions[:middle]),
        *judged_or_refused(kind, model, sessions[middle:]),
    ]


def as_they_are(
    connection: Connection, batch: JudgedBatch[V], known: Known
) -> tuple[list[Judged[V]], list[SessionId]]:
    """The sessions of a batch that are still as they were judged; and those whose stored verdicts are void.

    A session that has changed since it was judged, or whose turns say something else, is left out: it is
    judged when its next record comes, or by the job that has changed it.

    Args:
        connection: in the transaction that writes.
        batch: judged before.
        known: what is stored of the sessions of the batch.
    """
    said = {item.session.session_id: item for item in batch.judged}
    judged, void = [], []
    for changed in changed_sessions(connection, batch.records):
        session, key = changed.session, changed.record.session_id
        if key in said and said[key].session == session:
            judged.append(said[key])
        elif key in known and known[key][1] != (None if session is None else session.turns_key):
            void.append(key)
    return judged, void
