"""The rephrase task: sessions in; who meant what by the second try out, and the sessions again.

A session record says that a session has changed, and what it is now is read from the store. It is judged
outside the transactions. Where chains and requests make something else of a session with its links, it is
announced by its record, on the same topic: those who read it take the links into account, and this task,
which has judged just these turns by the same detector already, passes over it. What was written and not
announced is announced after a crash.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from sqlalchemy import Connection, Engine

from rewriting.errors import RephraseInputError
from rewriting.rephrase_link import RephraseDetector, RephraseLink
from rewriting.rephrase_store import (
    SessionLinks,
    found_links,
    mark_announced,
    sessions_to_announce,
    stored_links,
    turns_key,
)
from services.changed_sessions import changed_sessions
from services.database import is_retriable
from services.rephrase_detection import CurrentDetectors, detect_sessions
from services.rephrase_learner import JudgedSession, RephraseLearner
from streams.checkpoint import save_offsets, saved_offsets
from streams.database_schema import reading
from streams.errors import RecordsRefusedError
from streams.session import Session, SessionId
from streams.session_record import SessionRecord, decode_session, encode_session
from streams.session_store import lock_sessions, read_sessions
from streams.stream_task import OffsetRange, OutgoingRecord, Received
from streams.topic_names import Topics
from streams.turn import AssistantId

TASK = "rephrases"

_Judgement = tuple[SessionId, str, int]
"""Session, detector, and the turns that were judged."""


class RephraseWork(Struct, frozen=True):
    """Sessions that have changed, and what was found in those that could be judged."""

    records: tuple[SessionRecord, ...]  # each session once
    found: tuple[SessionLinks, ...] = ()
    partitions: dict[SessionId, int] = {}  # that the records came from


class RephraseTask:
    """Reads sessions, finds rephrases in them, and keeps links, pairs and candidates."""

    name = TASK

    def __init__(
        self, engine: Engine, topics: Topics, learner: RephraseLearner, detectors: CurrentDetectors
    ) -> None:
        self.source_topic = topics.sessions
        self._engine = engine
        self._learner = learner
        self._detectors = detectors
        self._partitions: set[int] = set()
        self._announced: list[SessionId] = []
        # Not written yet: what was found, in case that writing has to be tried again, and what was refused.
        self._judged: dict[_Judgement, list[RephraseLink] | RephraseInputError] = {}
        self._refused: dict[SessionId, SessionRecord] = {}

    def start_offsets(self, partitions: Sequence[int]) -> Mapping[int, int | None]:
        """The saved offsets."""
        with reading(self._engine) as connection:
            saved = saved_offsets(connection, TASK, self.source_topic)
        return {partition: saved.get(partition) for partition in partitions}

    def assigned(self, partitions: Sequence[int]) -> None:
        """Notes which sessions are ours to announce."""
        self._partitions.update(partitions)

    def revoked(self, partitions: Sequence[int]) -> None:
        """Leaves the sessions of these partitions to others."""
        self._partitions.difference_update(partitions)
        self._announced = []
        self._judged.clear()
        self._refused.clear()

    def decode(self, value: bytes | None) -> SessionRecord:
        """A session record."""
        return decode_session(value)

    def process(self, items: Sequence[Received[SessionRecord]]) -> RephraseWork:
        """Judges the sessions that have changed since they were judged, or by another detector.

        Raises:
            RecordsRefusedError: some name sessions that their detector cannot take.
        """
        newest = {item.value.session_id: item for item in items}
        records = tuple(item.value for _, item in sorted(newest.items()))
        detectors = {key: self._detectors.of(key) for key in sorted({x.assistant_id for x in records})}
        with reading(self._engine) as connection:
            sessions = [
                changed.session
                for changed in changed_sessions(connection, records)
                if changed.session is not None and len(changed.session.turns) > 1
            ]
            stored = stored_links(connection, [session.session_id for session in sessions])
        found: list[SessionLinks] = []
        refused: dict[SessionId, RephraseInputError] = {}
        for assistant_id, current in detectors.items():
            if current is None:
                continue
            name, _ = current
            new = []
            for session in sessions:
                known = stored.get(session.session_id)
                is_known = known is not None and (known.model, known.turns_key) == (name, turns_key(session))
                if session.assistant_id == assistant_id and not is_known:
                    new.append(session)
            for session, links in zip(new, self._detect(current, new), strict=True):
                if isinstance(links, RephraseInputError):
                    refused[session.session_id] = links
                else:
                    found.append(found_links(session, name, links))
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
        return RephraseWork((*records, *self._refused.values()), tuple(found), partitions)

    def write(self, work: RephraseWork, offsets: Mapping[int, OffsetRange]) -> None:
        """Stores links, pairs, candidates and offsets."""
        with self._engine.begin() as connection:
            save_offsets(connection, TASK, self.source_topic, offsets)
            lock_sessions(connection, alone=False)
            judged, gone = self._as_they_are(connection, work)
            self._learner.drop(connection, gone)
            self._learner.store(connection, judged)
        self._judged.clear()
        self._refused.clear()

    def outgoing(self) -> Iterable[OutgoingRecord]:
        """The sessions whose links have changed, and of which those who learn from them do not know yet."""
        with reading(self._engine) as connection:
            waiting = sessions_to_announce(connection, self._partitions)
            by_assistant: dict[AssistantId, list[SessionId]] = {}
            for announced in waiting:
                by_assistant.setdefault(announced.assistant_id, []).append(announced.session_id)
            sessions = [
                session
                for assistant_id, ids in by_assistant.items()
                for session in read_sessions(connection, assistant_id, ids)
            ]
        self._announced = [announced.session_id for announced in waiting]
        for session in sessions:
            record = SessionRecord(
                session_id=session.session_id,
                assistant_id=session.assistant_id,
                user_id=session.user_id,
                turns=session.turns,
            )
            yield OutgoingRecord(
                topic=self.source_topic, key=session.assistant_id.encode(), value=encode_session(record)
            )

    def produced(self) -> None:
        """Marks them as announced."""
        if self._announced:
            with self._engine.begin() as connection:
                mark_announced(connection, self._announced)
        self._announced = []

    def idle(self, now_ms: int) -> RephraseWork | None:
        """Makes candidates anew that others have left behind: users were forgotten, files learned."""
        with reading(self._engine) as connection:
            return RephraseWork(()) if self._learner.is_stale(connection) else None

    def is_retriable(self, error: Exception) -> bool:
        """A database that is locked or gone."""
        return is_retriable(error)

    def _detect(
        self, current: tuple[str, RephraseDetector], sessions: Sequence[Session]
    ) -> list[list[RephraseLink] | RephraseInputError]:
        """What is found in sessions, once."""
        name, detector = current
        keys = [(session.session_id, name, turns_key(session)) for session in sessions]
        new = [session for key, session in zip(keys, sessions, strict=True) if key not in self._judged]
        for session, links in zip(new, detect_sessions(detector, new), strict=True):
            self._judged[session.session_id, name, turns_key(session)] = links
        return [self._judged[key] for key in keys]

    def _as_they_are(
        self, connection: Connection, work: RephraseWork
    ) -> tuple[list[JudgedSession], list[SessionId]]:
        """What was found in sessions that are still as they were judged; and those whose links are of no use.

        A session that has changed since it was judged is left out: it is judged when its next record comes,
        or by the job that has changed it.
        """
        found = {links.session_id: links for links in work.found}
        stored = stored_links(connection, [record.session_id for record in work.records])
        judged, gone = [], []
        for changed in changed_sessions(connection, work.records):
            session, key = changed.session, changed.record.session_id
            turns = None if session is None else turns_key(session)
            if session is not None and key in found and found[key].turns_key == turns:
                judged.append(JudgedSession(session, found[key], work.partitions[key]))
            elif key in stored and stored[key].turns_key != turns:
                gone.append(key)
        return judged, gone
