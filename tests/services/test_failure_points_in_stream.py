"""What the topic of rewrites says of failures that are isolated in a stream."""

from pathlib import Path

import msgspec
import pytest
from databases import new_database, opened
from letter_models import CASES
from streaming import compacted, drain, learn_log, rewrites, send_turns, stream_settings

from services.session_models.failures.kind import KIND
from services.simulator import PlantedPair, planted_log
from streams.kafka_settings import KafkaSettings
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent

ASSISTANTS = AssistantId("letters-0"), AssistantId("letters-1")
(CASE,) = (case for case in CASES if case.kind is KIND)


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    pairs = [
        PlantedPair(source=f"{verb} sonk", target=f"{verb} song", users=4)
        for verb in ("ask", "bring", "call", "dial", "enter")
    ]
    turns = [turn for key in ASSISTANTS for turn in planted_log(pairs, assistant_id=key)]
    return sorted(turns, key=lambda turn: (turn.ts_ms, turn.assistant_id))


def published_points(kafka: KafkaSettings) -> dict[str, str | None]:
    """What the topic of rewrites says of failures, by id."""
    topic = compacted(kafka, kafka.topics.rewrites)
    rows = [msgspec.json.decode(value) for value in topic.values()]
    return {row["rewrite_id"]: row["failure_point"] for row in rows}


def test_rewrites_are_published_with_the_failure_points_that_files_give_them(
    log: list[TurnEvent], kafka: KafkaSettings, tmp_path: Path
) -> None:
    by_files = new_database(tmp_path / "files" / "rehear.db")
    with opened(by_files) as engine:
        learn_log(engine, tmp_path, log)
        for assistant_id in ASSISTANTS:
            CASE.fill(engine, assistant_id)
    expected = rewrites(by_files)
    assert len({row.failure_point for row in expected}) == 5
    settings = stream_settings(new_database(tmp_path / "rehear.db"), kafka)
    with opened(settings.database_location) as engine:
        CASE.use(engine, *ASSISTANTS)
    send_turns(kafka, log)
    drain(settings)
    drain(settings, "chains")  # which publishes what the failures worker, the last of them, has made of rows
    made = rewrites(settings.database_location)
    assert made == expected
    assert published_points(kafka) == {row.rewrite_id: row.failure_point for row in made}
    ends = end_offsets(kafka, kafka.topics.rewrites)
    drain(settings)
    assert ends == end_offsets(kafka, kafka.topics.rewrites)
