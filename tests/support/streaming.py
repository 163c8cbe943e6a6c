"""Streams logs through the broker and the workers, and reads what came of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from databases import new_database, opened
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from letter_models import LETTER_MODELS, TEST_WORKERS
from sqlalchemy import Engine, Table, select
from waiting import HANGS_AFTER_S, eventually

from rewriting.chains.settings import ChainSettings
from rewriting.index.store import INDEXED_REQUEST
from rewriting.requests.session_store import REQUEST_SESSION
from rewriting.requests.statistics_store import REQUEST_STATISTICS
from rewriting.table.rewrite import Rewrite, TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import LearningSummary, learn_from_files
from services.platform.clock import now_ms
from services.processes.worker import WORKERS, worker_loop
from services.settings import SessionSettings, Settings
from streams.kafka_settings import KafkaSettings
from streams.session import Session, sessionize
from streams.session_record import SessionRecord
from streams.stores.database_schema import METADATA, reading
from streams.stores.session_store import lock_sessions, new_turns, store_turns
from streams.stream_task import OffsetRange, Received
from streams.turn import AssistantId, TurnEvent, encode_turn


def stream_settings(
    location: str, kafka: KafkaSettings, chain: ChainSettings | None = None, gap_ms: int = 45_000
) -> Settings:
    """Settings of workers that close all sessions as soon as nothing comes."""
    return Settings(
        database=location,
        kafka=kafka,
        sessions=SessionSettings(gap_ms=gap_ms, idle_timeout_ms=0),
        chain=chain or ChainSettings(),
    )


def send(kafka: KafkaSettings, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    """Produces keys and values to the turns topic."""
    send_to(kafka, kafka.topics.turns, records)


def send_to(kafka: KafkaSettings, topic: str, records: Iterable[tuple[bytes | None, bytes | None]]) -> None:
    producer = KafkaProducer(**kafka.producer_options())
    futures = [producer.send(topic, key=key, value=value) for key, value in records]
    producer.flush(HANGS_AFTER_S)
    assert all(future.succeeded() for future in futures)
    producer.close()


def send_turns(kafka: KafkaSettings, turns: Iterable[TurnEvent]) -> None:
    """Produces turns as an assistant does: a user's in one partition."""
    send(kafka, ((turn.key.encode(), encode_turn(turn)) for turn in turns))


def compacted(kafka: KafkaSettings, topic: str) -> dict[bytes, bytes]:
    """What a topic holds once it is compacted: the last value of each key."""
    consumer = KafkaConsumer(**kafka.consumer_options())
    partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    ends = consumer.end_offsets(partitions)
    found: dict[bytes, bytes | None] = {}
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(500).values():
            found |= {record.key: record.value for record in records}
    consumer.close()
    return {key: value for key, value in found.items() if value is not None}


def drain(settings: Settings, *names: str) -> None:
    """Runs workers, by default each of them, one after the other, until all is read.

    Where an assistant uses a session model, it is one of `LETTER_MODELS`.
    """
    assert settings.kafka is not None
    with opened(settings.database_location) as engine:
        for name in names or WORKERS:
            loop = worker_loop(TEST_WORKERS[name], engine, settings.kafka, settings, loaders=LETTER_MODELS)
            loop.run(until_idle=True)


def store_log(engine: Engine, turns: Sequence[TurnEvent]) -> None:
    """Stores turns as the sessions worker does."""
    with engine.begin() as connection:
        lock_sessions(connection, alone=True)
        store_turns(connection, new_turns(connection, turns), {(t.assistant_id, t.user_id): 0 for t in turns})


def record_of(session: Session) -> SessionRecord:
    return SessionRecord(
        session_id=session.session_id,
        assistant_id=session.assistant_id,
        user_id=session.user_id,
        turns=session.turns,
    )


def records_of(turns: Iterable[TurnEvent]) -> list[SessionRecord]:
    return [record_of(session) for session in sessionize(turns)]


def feed(task: Any, records: Sequence[SessionRecord], expected: int | None = None) -> int:
    """Does what the loop does with a batch; gives the next offset."""
    first = expected or 0
    items = [Received(record, 0, first + i, 0) for i, record in enumerate(records)]
    task.write(task.process(items), {0: OffsetRange(expected, first + len(items))})
    return first + len(items)


def rewrites(location: str | Path) -> list[Rewrite]:
    """The rows of all tables that are not retired, without what tells when and why they changed."""
    with opened(location) as engine:
        return rewrites_in(engine)


def eventually_rewrites(location: str | Path, expected: list[Rewrite]) -> None:
    """Waits until the tables are as expected."""
    with opened(location) as engine:
        eventually(lambda: rewrites_in(engine) == expected, "the table")


def rewrites_in(engine: Engine) -> list[Rewrite]:
    table = RewriteTable(engine, now_ms)
    found = [row for assistant_id in table.versions() for row in table.read(assistant_id).rewrites]
    rows = [
        msgspec.structs.replace(row, version=TableVersion(0), changed_ms=0, reason="")
        for row in found
        if row.status != "retired"
    ]
    return sorted(rows, key=lambda row: (row.assistant_id, row.rewrite_id))


def version(location: str | Path, assistant_id: str) -> int:
    with opened(location) as engine:
        return RewriteTable(engine, now_ms).version(AssistantId(assistant_id))


def learned_from_file(
    turns: Iterable[TurnEvent], folder: Path, chain: ChainSettings | None = None
) -> list[Rewrite]:
    """What a log teaches when it is read from a file, into a database of its own."""
    location = new_database(folder / "learned.db")
    with opened(location) as engine:
        learn_log(engine, folder, turns, Settings(chain=chain or ChainSettings()))
    return rewrites(location)


def learn_log(
    engine: Engine, folder: Path, turns: Iterable[TurnEvent], settings: Settings | None = None
) -> LearningSummary:
    """Learns from a log as from a file of its turns, which stays in the folder."""
    file = folder / "log.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, turns)))
    return learn_from_files(engine, settings or Settings(), [file], now_ms)


def requests(location: str | Path) -> dict[str, list[Any]]:
    """What online rewriting knows: sessions, statistics, and what the index shall hold."""
    with opened(location) as engine:
        return requests_in(engine)


def requests_in(engine: Engine) -> dict[str, list[Any]]:
    indexed = INDEXED_REQUEST.c
    queries = [
        select(REQUEST_SESSION),
        select(REQUEST_STATISTICS),
        select(indexed.assistant_id, indexed.request_id, indexed.text, indexed.interpretation).where(
            indexed.encoder_id.is_not(None)
        ),
    ]
    names = "sessions", "statistics", "index"
    with reading(engine) as connection:
        return {
            name: sorted(tuple(row) for row in connection.execute(query))
            for name, query in zip(names, queries, strict=True)
        }


def everything(engine: Engine) -> str:
    """All that the tables hold, as one text; bytes as Latin-1."""
    cells: list[str] = []
    with reading(engine) as connection:
        for table in METADATA.sorted_tables:
            for row in connection.execute(select(table)):
                cells += [
                    value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row
                ]
    return "\n".join(cells)


def row_count(engine: Engine, table: Table) -> int:
    with reading(engine) as connection:
        return len(connection.execute(select(table)).all())


def assistants(turns: Sequence[TurnEvent]) -> list[str]:
    return sorted({turn.assistant_id for turn in turns})
