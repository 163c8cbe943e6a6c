"""What holds for every kind of session model in a stream, whatever fails meanwhile.

What a stream makes is what jobs make of a file: in the kind's tables, and on its topic.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database, opened
from letter_detector import letter_log
from letter_model import REFUSED
from letter_models import CASES, ModelCase
from streaming import compacted, drain, learn_log, requests, rewrites, send_turns, stream_settings
from worker_faults import run_and_kill, run_while_locked
from worker_pool import WorkerPool

from services.platform.clock import now_ms
from services.privacy import forgetting
from services.privacy.user_data import USER_DATA, UserData
from services.settings import Settings
from streams.consumer_loop import Step
from streams.dead_letter import read_dead_letters
from streams.kafka_settings import KafkaSettings
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent, UserId

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
LEARNERS = "chains", "index"

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind.name)


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    turns = [turn for key in ASSISTANTS for turn in letter_log("abcd", assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


class Stream(msgspec.Struct, frozen=True):
    """A log that workers are to read for one kind of model, and what jobs make of a file of it."""

    case: ModelCase
    log: list[TurnEvent]
    expected: dict[str, Any]
    settings: Settings

    @property
    def location(self) -> str:
        return self.settings.database_location

    @property
    def kafka(self) -> KafkaSettings:
        assert self.settings.kafka is not None
        return self.settings.kafka

    def on(self, location: str) -> "Stream":
        """The same, on another database."""
        prepare(self.case, location)
        settings = msgspec.structs.replace(self.settings, database=location)
        return msgspec.structs.replace(self, settings=settings)

    def send(self) -> None:
        send_turns(self.kafka, self.log)

    def check_after(self, *workers: str) -> None:
        """Has workers read what is left; then all is as from the file."""
        drain(self.settings, *workers)
        assert known(self.case, self.location) == self.expected
        self.published()

    def published(self) -> dict[str, Any]:
        """What the kind's topic holds, by key, after it is seen that it is what is stored."""
        if self.case.kind.turns is None:
            return {}
        topic = compacted(self.kafka, self.case.kind.turns.topic(self.kafka.topics))
        store = self.case.kind.turns.store
        records = {key.decode(): msgspec.json.decode(value) for key, value in topic.items()}
        with opened(self.location) as engine, reading(engine) as connection:
            ids = {record["session_id"] for record in records.values()}
            stored = [one for some in store.records(connection, ids).values() for one in some]
            assert not store.has_changes(connection)
        as_json = {f"{one.assistant_id}/{one.event_id}": msgspec.json.encode(one) for one in stored}
        assert records == {key: msgspec.json.decode(value) for key, value in as_json.items()}
        return records

    def read_to(self, task: str) -> dict[int, int]:
        """Up to where a task has read the sessions."""
        with opened(self.location) as engine, reading(engine) as connection:
            return saved_offsets(connection, task, self.kafka.topics.sessions)


def prepare(case: ModelCase, location: str) -> str:
    """Has a database name the models."""
    with opened(location) as engine:
        case.prepare(engine)
        case.use(engine, *ASSISTANTS)
    return location


def learn_by_jobs(case: ModelCase, location: str, log: list[TurnEvent], folder: Path) -> None:
    prepare(case, location)
    with opened(location) as engine:
        learn_log(engine, folder, log, Settings(**case.settings))
        for assistant_id in ASSISTANTS:
            case.fill(engine, assistant_id)


def known(case: ModelCase, location: str) -> dict[str, Any]:
    """What the kind keeps, the rewrite tables, and what online rewriting knows."""
    with opened(location) as engine:
        kept = case.kept(engine)
    return {**kept, "rewrites": rewrites(location), **requests(location)}


@pytest.fixture
def stream(log: list[TurnEvent], case: ModelCase, kafka: KafkaSettings, tmp_path: Path) -> Stream:
    by_jobs = new_database(tmp_path / "expected" / "rehear.db")
    learn_by_jobs(case, by_jobs, log, tmp_path)
    expected = known(case, by_jobs)
    assert all(expected[table.name] for table in case.kind.tables)
    location = prepare(case, new_database(tmp_path / "rehear.db"))
    settings = msgspec.structs.replace(stream_settings(location, kafka), **case.settings)
    return Stream(case, log, expected, settings)


def test_a_stream_is_judged_as_a_file_is(case: ModelCase, stream: Stream) -> None:
    workers = "sessions", case.kind.name, *LEARNERS
    stream.send()
    stream.check_after(*workers)
    topics = [stream.kafka.topics.sessions]
    if case.kind.turns is not None:
        topics.append(case.kind.turns.topic(stream.kafka.topics))
        assert len(stream.published()) == len(stream.log)
    ends = [end_offsets(stream.kafka, topic) for topic in topics]
    assert stream.read_to(case.kind.name) != {}
    stream.check_after(*workers)
    assert [end_offsets(stream.kafka, topic) for topic in topics] == ends  # nothing is said twice


def test_files_and_streams_can_be_mixed(case: ModelCase, stream: Stream, tmp_path: Path) -> None:
    """First tries through Kafka and judged; then their second tries from a file."""
    send_turns(stream.kafka, [turn for turn in stream.log if "quiet" not in turn.request.text])
    drain(stream.settings, "sessions", case.kind.name)
    learn_by_jobs(case, stream.location, stream.log, tmp_path)
    stream.check_after(case.kind.name, "sessions", *LEARNERS, case.kind.name)


@pytest.mark.parametrize(
    ("place", "step"), [*(("sqlite", step) for step in Step), ("postgresql", Step.PRODUCE)]
)
def test_a_worker_killed_at_any_step(
    case: ModelCase,
    place: str,
    step: Step,
    stream: Stream,
    request: pytest.FixtureRequest,
    workers: WorkerPool,
) -> None:
    if place == "postgresql":
        stream = stream.on(request.getfixturevalue("postgres_url"))
    stream.send()
    drain(stream.settings, "sessions", *LEARNERS)
    run_and_kill(workers, stream.case.kind.name, stream.settings, step)
    stream.check_after(*LEARNERS)


def test_a_database_that_another_program_locks(
    case: ModelCase, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.platform.database.LOCK_WAIT_S", 0.1)
    stream.send()
    drain(stream.settings, "sessions", *LEARNERS)
    model = case.new()
    run_while_locked(case.kind.name, stream.settings, {case.kind.name: lambda folder: model})
    assert model.judged == 40  # nothing was judged twice
    stream.check_after(*LEARNERS)


def test_a_forgotten_user_is_gone_from_the_compacted_topic(
    case: ModelCase, stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = UserData(case.kind.tables, case.kind.forget)
    monkeypatch.setattr(forgetting, "USER_DATA", (*USER_DATA, added))
    stream.send()
    drain(stream.settings, "sessions", case.kind.name)
    before = stream.published()
    with opened(stream.location) as engine:
        assert forgetting.forget_user(engine, now_ms, ASSISTANTS[0], UserId("u00001"))
    drain(stream.settings, case.kind.name)
    theirs = {
        f"{turn.assistant_id}/{turn.event_id}"
        for turn in stream.log
        if (turn.assistant_id, turn.user_id) == (ASSISTANTS[0], "u00001")
    }
    assert theirs
    assert stream.published().keys() == before.keys() - theirs


def test_a_session_that_cannot_be_judged_is_a_dead_letter_and_the_stream_goes_on(
    case: ModelCase, stream: Stream
) -> None:
    last, kafka = stream.log[-1], stream.kafka
    said = msgspec.structs.replace(last.request, text=REFUSED, asr=())
    strange = [
        msgspec.structs.replace(
            last, event_id=f"strange-{i}", user_id="stranger", request=said, nlu=(), ts_ms=10**12 + i
        )
        for i in range(2)
    ]
    send_turns(kafka, [*strange, *stream.log])
    drain(stream.settings, "sessions", case.kind.name, *LEARNERS)
    (letter,) = read_dead_letters(kafka)
    assert (letter.error, letter.task, letter.source.topic) == (
        case.kind.refusal.__name__,
        case.kind.name,
        kafka.topics.sessions,
    )
    assert letter.value is not None
    assert REFUSED.encode() in letter.value
    found = known(case, stream.location)
    for name in (*(table.name for table in case.kind.tables), "rewrites"):
        assert found[name] == stream.expected[name]
    stream.published()
    read = [stream.read_to(task) for task in (case.kind.name, "chains")]
    assert read == [end_offsets(kafka, kafka.topics.sessions)] * 2
