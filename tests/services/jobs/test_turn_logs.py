import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database, opened
from request_world import write_log
from sqlalchemy import Engine
from streaming import (
    assistants,
    drain,
    learn_log,
    learned_from_file,
    requests,
    rewrites,
    row_count,
    send_turns,
    stream_settings,
    version,
)

from rewriting.chains.settings import ChainSettings
from rewriting.chains.store import CHAIN_SESSION
from rewriting.table.rewrite import Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import LearningSummary, TurnLearners, learn_from_files
from services.platform.clock import now_ms
from services.settings import Settings
from services.simulator import PlantedPair, SimulationSettings, planted_log, simulate
from services.simulator.world.settings import DAY_MS
from streams.errors import TurnFileError
from streams.kafka_settings import KafkaSettings
from streams.stores.session_store import SEEN_EVENT, SESSION
from streams.topics import ensure_topics
from streams.turn import AssistantId, TurnEvent
from streams.turn_file import read_turns

HOME = Path(__file__).resolve().parents[3] / "../shared/data/home/turns.train.jsonl.gz"


Taught = tuple[list[Rewrite], dict[str, list[Any]]]
ThroughKafka = Callable[..., None]


def taught(location: str | Path) -> Taught:
    """The rewrites in a database, and what online rewriting knows."""
    return rewrites(location), requests(location)


@pytest.fixture
def location(tmp_path: Path) -> str:
    """Of a database that the workers learn into."""
    return new_database(tmp_path / "kafka.db")


@pytest.fixture
def through_kafka(kafka_settings: KafkaSettings) -> ThroughKafka:
    """Has the workers learn logs, one after the other."""

    def learn(location: str, *logs: Sequence[TurnEvent], partitions: int = 4, **settings: Any) -> None:
        kafka = msgspec.structs.replace(kafka_settings, **settings)
        ensure_topics(kafka, partitions=partitions)
        for log in logs:
            send_turns(kafka, log)
            drain(stream_settings(location, kafka))

    return learn


@pytest.fixture(scope="module")
def demo_log() -> list[TurnEvent]:
    return [turn.event for turn in simulate(SimulationSettings(users=160, days=6, test_days=0))]


@pytest.fixture(scope="module")
def demo_taught(demo_log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> Taught:
    folder = tmp_path_factory.mktemp("demo")
    learned_from_file(demo_log, folder)
    learned = taught(folder / "learned.db")
    assert len(learned[0]) >= 20
    assert all(len(rows) > 20 for rows in learned[1].values())
    return learned


@pytest.fixture
def planted() -> list[TurnEvent]:
    return planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(10)]
    )


def learn(engine: Engine, *files: Path, settings: ChainSettings | None = None) -> LearningSummary:
    return learn_from_files(engine, Settings(chain=settings or ChainSettings()), files, now_ms)


def test_a_log_in_seconds_teaches_nothing(planted: list[TurnEvent], engine: Engine, tmp_path: Path) -> None:
    in_seconds = [msgspec.structs.replace(turn, ts_ms=turn.ts_ms // 1_000) for turn in planted]
    with pytest.raises(TurnFileError, match=r"line 1: ts_ms 1736121600 is before the year 2000: .* seconds"):
        learn(engine, write_log(tmp_path / "turns.jsonl", in_seconds))
    assert RewriteTable(engine, now_ms).versions() == {}
    assert learn(engine, write_log(tmp_path / "turns.jsonl", planted)).live_rewrites == 10


def test_what_is_learned_day_by_day_in_memory_is_what_the_whole_log_teaches_as_a_file(
    demo_log: list[TurnEvent], demo_taught: Taught, location: str
) -> None:
    names = {AssistantId(turn.assistant_id) for turn in demo_log}
    days = itertools.groupby(demo_log, lambda turn: turn.ts_ms // DAY_MS)
    with opened(location) as engine:
        learners = TurnLearners(engine, Settings(), now_ms)
        new = 0
        for _, turns in days:
            new += learners.absorb(list(turns))
            learners.solve(names)
        again = learners.absorb(demo_log[:100])

    assert (new, again) == (len(demo_log), 0)
    assert taught(location) == demo_taught


# Through Kafka and from files


def test_kafka_and_files_teach_the_same(
    demo_log: list[TurnEvent], demo_taught: Taught, location: str, through_kafka: ThroughKafka
) -> None:
    through_kafka(location, demo_log, partitions=1)
    assert taught(location) == demo_taught


def test_kafka_and_files_teach_the_same_on_postgresql(
    planted: list[TurnEvent], postgres_url: str, through_kafka: ThroughKafka, tmp_path: Path
) -> None:
    through_kafka(postgres_url, planted, partitions=2)
    expected = learned_from_file(planted, tmp_path)
    assert len(expected) == 10
    assert taught(postgres_url) == (expected, requests(tmp_path / "learned.db"))


@pytest.mark.skipif(not HOME.exists(), reason="the home log is not here")
def test_kafka_and_files_teach_the_same_on_the_home_log(
    location: str, through_kafka: ThroughKafka, tmp_path: Path
) -> None:
    log = list(itertools.islice(read_turns(HOME, now_ms), 8_000))
    expected = learned_from_file(log, tmp_path)
    assert len(expected) > 8
    through_kafka(location, log)
    assert taught(location) == (expected, requests(tmp_path / "learned.db"))


@pytest.mark.parametrize("seed", [1, 2])
def test_repeated_late_and_unordered_events_teach_the_same(
    seed: int, demo_log: list[TurnEvent], demo_taught: Taught, location: str, through_kafka: ThroughKafka
) -> None:
    rng = random.Random(seed)
    late, punctual = [], []
    for turn in demo_log:
        (late if rng.random() < 0.1 else punctual).append(turn)
    # A day's worth of turns in any order, with a fifth of them repeated; then those that come days late.
    log = [turn for turn in punctual for _ in range(1 + (rng.random() < 0.2))]
    log.sort(key=lambda turn: turn.ts_ms + rng.randrange(86_400_000))
    rng.shuffle(late)
    through_kafka(location, log, late, max_poll_records=400)
    assert taught(location) == demo_taught


def test_a_replay_of_the_whole_log_changes_nothing(
    demo_log: list[TurnEvent], demo_taught: Taught, location: str, through_kafka: ThroughKafka
) -> None:
    through_kafka(location, demo_log)
    (assistant,) = assistants(demo_log)
    before = version(location, assistant)
    through_kafka(location, demo_log)
    assert taught(location) == demo_taught
    assert version(location, assistant) == before


def test_a_log_that_was_learned_from_files_changes_nothing_through_kafka(
    demo_log: list[TurnEvent],
    demo_taught: Taught,
    location: str,
    through_kafka: ThroughKafka,
    tmp_path: Path,
) -> None:
    """Half the log from a file, cut in the middle of sessions, all of it through Kafka."""
    with opened(location) as engine:
        learn_log(engine, tmp_path, demo_log[: len(demo_log) // 2])
        through_kafka(location, demo_log)
        assert taught(location) == demo_taught
        (assistant,) = assistants(demo_log)
        before = version(location, assistant)
        summary = learn_log(engine, tmp_path, demo_log)
    assert (summary.turns, summary.new_turns) == (len(demo_log), 0)
    assert version(location, assistant) == before


def test_a_file_learned_between_the_workers_is_not_undone_by_older_records(
    planted: list[TurnEvent], location: str, kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    """Sources through Kafka; then their targets from a file, before the chain worker sees the sessions."""
    ensure_topics(kafka_settings, partitions=2)
    settings = stream_settings(location, kafka_settings)
    send_turns(kafka_settings, [turn for turn in planted if "sonk" in turn.request.text])
    drain(settings, "sessions")
    with opened(location) as engine:
        learn_log(engine, tmp_path, [turn for turn in planted if "song" in turn.request.text])
    drain(settings, "chains")
    assert rewrites(location) == learned_from_file(planted, tmp_path)


# Long sessions


def test_a_session_too_long_for_a_record_counts_in_the_chain(
    planted: list[TurnEvent], location: str, through_kafka: ThroughKafka, tmp_path: Path
) -> None:
    long_prompt = "x" * 50_000
    long = [
        msgspec.structs.replace(
            turn, event_id=f"long-{i}-{turn.event_id}", ts_ms=turn.ts_ms + i, prompt=long_prompt
        )
        for turn in planted[:2]
        for i in range(15)
    ]
    log = [*planted, *long]
    through_kafka(location, log, partitions=2)
    expected = learned_from_file(log, tmp_path)
    assert max(row.source_count for row in expected) > 10
    assert rewrites(location) == expected


# From files


def test_learning_sums_up(planted: list[TurnEvent], engine: Engine, tmp_path: Path) -> None:
    first, second = planted[::2], planted[1::2]
    files = [write_log(tmp_path / "a.jsonl", first), write_log(tmp_path / "b.jsonl", [*second, *second])]
    assert learn(engine, *files) == LearningSummary(
        len(first) + 2 * len(second), len(planted), ("planted-assistant",), 10
    )
    assert learn(engine, *files).new_turns == 0
    assert row_count(engine, SEEN_EVENT) == len(planted)


def test_no_order_and_no_batches_of_files_matter(
    planted: list[TurnEvent], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.jobs.turn_logs.BATCH_TURNS", 7)
    backwards = list(reversed(planted))
    learn(
        engine,
        write_log(tmp_path / "b.jsonl", backwards[50:]),
        write_log(tmp_path / "a.jsonl", backwards[:50]),
    )
    monkeypatch.undo()
    location = engine.url.render_as_string(hide_password=False)
    if engine.dialect.name == "sqlite":
        location = str(tmp_path / "rehear.db")
    assert rewrites(location) == learned_from_file(planted, tmp_path)


def test_a_bad_line_is_named_and_what_came_before_its_batch_stays(
    planted: list[TurnEvent], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.jobs.turn_logs.BATCH_TURNS", 10)
    file = write_log(tmp_path / "a.jsonl", planted[:20])
    with file.open("ab") as stream:
        stream.write(b"{}\n")
    with pytest.raises(TurnFileError, match=r"a\.jsonl, line 21"):
        learn(engine, file)
    assert row_count(engine, SEEN_EVENT) == 20
    write_log(file, planted)
    assert learn(engine, file).live_rewrites == 10


def test_a_call_that_died_before_solving_is_made_good_by_the_next(
    planted: list[TurnEvent], engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_log(tmp_path / "a.jsonl", planted)

    class PowerCutError(Exception):
        pass

    def cut(*_: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr("services.learners.chains.ChainLearner.solve", cut)
        with pytest.raises(PowerCutError):
            learn(engine, file)
    assert row_count(engine, CHAIN_SESSION) > 0
    summary = learn(engine, file)
    assert (summary.new_turns, summary.live_rewrites) == (0, 10)


def test_assistants_do_not_learn_from_each_other(engine: Engine, tmp_path: Path) -> None:
    log = planted_log([PlantedPair(source="play sonk", target="play song", users=4)], assistant_id="one")
    split = [
        msgspec.structs.replace(turn, assistant_id="two") if turn.user_id in ("u00000", "u00001") else turn
        for turn in log
    ]
    settings = ChainSettings(min_users=3)
    assert learn(engine, write_log(tmp_path / "a.jsonl", split), settings=settings).live_rewrites == 0
    assert learned_from_file(log, tmp_path, settings) != []


def test_sessions_from_files_wait_for_nobody(
    planted: list[TurnEvent], engine: Engine, tmp_path: Path
) -> None:
    learn(engine, write_log(tmp_path / "a.jsonl", planted))
    with engine.connect() as connection:
        assert set(connection.scalars(SESSION.select().with_only_columns(SESSION.c.emitted))) == {True}
