from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.consumer.fetcher import ConsumerRecord

from streams.dead_letter import (
    CUT_BYTES,
    DeadLetter,
    Selection,
    Source,
    dead_letter,
    decode_dead_letter,
    deliver_dead_letters,
    encode_dead_letter,
    read_dead_letters,
    replay_dead_letters,
)
from streams.errors import DeadLetterError, TopicError, TurnDecodeError
from streams.kafka_settings import KafkaSettings
from streams.record_producer import RecordProducer
from streams.stream_task import OutgoingRecord
from streams.topics import ensure_topics

LARGE = b"x" * 5_000_000


def letter(topic: str, offset: int, **changes: Any) -> DeadLetter:
    values: dict[str, Any] = {
        "source": Source(topic, 1, offset),
        "key": b"home/u",
        "value": b"{",
        "headers": (("trace", b"17"),),
        "timestamp_ms": 1_700_000_000_000 + offset,
        "error": "TurnDecodeError",
        "message": "not JSON: \u2026",
        "task": "sessions",
        "original_bytes": 1,
    }
    return DeadLetter(**values | changes)


def received(record: OutgoingRecord) -> ConsumerRecord:
    key, value, headers = record.key, record.value, list(record.headers)
    return ConsumerRecord(record.topic, 0, -1, 0, -1, 0, key, value, headers, None, 0, 0, 0)


@pytest.fixture
def settings(kafka_settings: KafkaSettings) -> KafkaSettings:
    admin = KafkaAdminClient(**kafka_settings.admin_options())
    configs = {"max.message.bytes": "8000000", "retention.ms": "-1"}
    roomy = {"num_partitions": 2, "replication_factor": 1, "configs": configs}
    admin.create_topics({kafka_settings.topics.turns: roomy}, wait_for_metadata=True)
    admin.close()
    ensure_topics(kafka_settings, partitions=2)
    return kafka_settings


def deliver(settings: KafkaSettings, letters: list[DeadLetter], whole_bytes: int = 8_000_000) -> None:
    producer = RecordProducer(settings)
    deliver_dead_letters(producer, letters, settings.topics.dead_letters, whole_bytes)
    producer.close()


def turns(settings: KafkaSettings) -> list[ConsumerRecord]:
    consumer = KafkaConsumer(**settings.consumer_options())
    partitions = [TopicPartition(settings.topics.turns, number) for number in (0, 1)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.seek(partition, 0)
    ends = consumer.end_offsets(partitions)
    records: list[ConsumerRecord] = []
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for some in consumer.poll(500).values():
            records += some
    consumer.close()
    return records


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"key": None},
        {"value": None, "original_bytes": 0},
        {"value": b"", "original_bytes": 0},
        {"key": None, "value": None, "original_bytes": 0},
        {"headers": (), "timestamp_ms": -1},
        {"value": b"\xff\x00", "original_bytes": 900},
    ],
)
def test_nothing_is_lost_on_the_way(changes: dict[str, Any]) -> None:
    before = letter("turns", 7, **changes)
    after = decode_dead_letter(received(encode_dead_letter(before, "dead")))
    assert after == before


def test_a_message_that_is_not_text_is_kept_readable() -> None:
    sent = encode_dead_letter(letter("turns", 7, message="half a surrogate: \ud800"), "dead")
    assert decode_dead_letter(received(sent)).message == "half a surrogate: \\ud800"


def test_a_record_becomes_a_dead_letter_with_its_coordinates() -> None:
    record = ConsumerRecord("turns", 3, -1, 42, 1_000, 0, b"k", b"{", [("h", None)], None, 1, 1, 1)
    made = dead_letter(record, TurnDecodeError("x" * 10_000), "sessions")
    assert made.source == Source("turns", 3, 42)
    assert (made.key, made.value, made.headers, made.timestamp_ms) == (b"k", b"{", (("h", b""),), 1_000)
    assert (made.error, made.task, made.original_bytes) == ("TurnDecodeError", "sessions", 1)
    assert len(made.message) == 1_000
    assert not made.truncated


def test_a_foreign_record_is_refused_with_its_place() -> None:
    with pytest.raises(DeadLetterError, match=r"dead\[0\]@0 is not a dead letter: header 'topic'"):
        decode_dead_letter(received(OutgoingRecord(topic="dead", key=b"k", value=b"v")))


def test_foreign_records_are_passed_over(settings: KafkaSettings) -> None:
    producer = KafkaProducer(**settings.producer_options())
    producer.send(settings.topics.dead_letters, b"somebody else's").get(10)
    producer.close()
    deliver(settings, [letter(settings.topics.turns, 0)])
    assert list(read_dead_letters(settings)) == [letter(settings.topics.turns, 0)]


def test_a_value_that_is_too_large_is_cut_off_and_says_so(settings: KafkaSettings) -> None:
    large = letter(settings.topics.turns, 1, value=LARGE, original_bytes=len(LARGE))
    deliver(settings, [letter(settings.topics.turns, 0), large], whole_bytes=1_000_000)
    (cut,) = [found for found in read_dead_letters(settings) if found.source.offset == 1]
    assert cut.truncated
    assert cut.value == LARGE[:CUT_BYTES]
    assert cut.original_bytes == len(LARGE)


def test_a_broker_that_refuses_the_size_gets_less(kafka_settings: KafkaSettings) -> None:
    admin = KafkaAdminClient(**kafka_settings.admin_options())
    narrow = {"num_partitions": 1, "replication_factor": 1, "configs": {"max.message.bytes": "200000"}}
    admin.create_topics({kafka_settings.topics.dead_letters: narrow}, wait_for_metadata=True)
    admin.close()
    large = letter("turns", 0, value=LARGE, original_bytes=len(LARGE))
    small = [letter("turns", number) for number in range(1, 4)]
    deliver(kafka_settings, [large, *small])
    assert sorted(read_dead_letters(kafka_settings), key=lambda found: found.source) == [large.cut(), *small]


def test_replay_sends_each_source_back_once_as_it_was(settings: KafkaSettings) -> None:
    topic = settings.topics.turns
    letters = [letter(topic, 0), letter(topic, 1, error="KeyError"), letter(topic, 0)]
    deliver(settings, letters)
    report = replay_dead_letters(settings)
    assert report.replayed == {"TurnDecodeError": 1, "KeyError": 1}
    assert (report.repeated, report.passed_over, report.not_replayable) == (1, 0, {})
    records = turns(settings)
    assert [(r.partition, r.key, r.value, r.headers) for r in records] == [
        (1, b"home/u", b"{", [("trace", b"17")])
    ] * 2
    assert sorted(r.timestamp for r in records) == [1_700_000_000_000, 1_700_000_000_001]


def test_a_dry_run_counts_and_sends_nothing(settings: KafkaSettings) -> None:
    deliver(settings, [letter(settings.topics.turns, 0)])
    assert replay_dead_letters(settings, dry_run=True).replayed == {"TurnDecodeError": 1}
    assert turns(settings) == []


@pytest.mark.parametrize(
    ("selection", "offsets"),
    [
        (Selection(), [0, 1, 2, 3]),
        (Selection(errors=frozenset({"KeyError"})), [3]),
        (Selection(first_offset=1, last_offset=2), [1, 2]),
        (Selection(partition=0), []),
        (Selection(topic="another"), []),
        (Selection(topic="turns", partition=1, first_offset=2), [2, 3]),
    ],
)
def test_a_selection_takes_what_agrees_with_all_of_it(selection: Selection, offsets: list[int]) -> None:
    letters = [letter("turns", number) for number in range(3)] + [letter("turns", 3, error="KeyError")]
    assert [found.source.offset for found in letters if found in selection] == offsets


def test_what_is_not_selected_is_passed_over(settings: KafkaSettings) -> None:
    deliver(settings, [letter(settings.topics.turns, number) for number in range(3)])
    report = replay_dead_letters(settings, Selection(last_offset=0))
    assert (report.replayed, report.passed_over) == ({"TurnDecodeError": 1}, 2)
    assert len(turns(settings)) == 1


def test_a_value_that_was_cut_off_is_read_again_at_its_source(settings: KafkaSettings) -> None:
    producer = KafkaProducer(**settings.producer_options())
    sent = producer.send(settings.topics.turns, LARGE, key=b"home/u", partition=1).get(10)
    producer.close()
    there = letter(settings.topics.turns, sent.offset, value=LARGE, original_bytes=len(LARGE))
    gone = letter(settings.topics.turns, 99, value=LARGE, original_bytes=len(LARGE))
    deliver(settings, [there, gone], whole_bytes=1_000_000)
    report = replay_dead_letters(settings)
    assert report.replayed == {"TurnDecodeError": 1}
    assert report.not_replayable == {"TurnDecodeError": 1}
    assert [record.value == LARGE for record in turns(settings)] == [True, True]


def test_replay_without_a_dead_letter_topic_names_it(kafka_settings: KafkaSettings) -> None:
    with pytest.raises(TopicError, match=kafka_settings.topics.dead_letters):
        replay_dead_letters(kafka_settings)
