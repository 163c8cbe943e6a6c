"""Fixtures of the services' tests: topics, and worker processes."""

from collections.abc import Iterator

import msgspec
import pytest
from worker_pool import WorkerPool

from streams.kafka_settings import KafkaSettings
from streams.topics import ensure_topics


@pytest.fixture
def kafka(kafka_settings: KafkaSettings) -> KafkaSettings:
    """Topics of two partitions, batches of ten records, and the dead soon given up."""
    ensure_topics(kafka_settings, partitions=2)
    return msgspec.structs.replace(kafka_settings, max_poll_records=10, max_poll_interval_ms=6_000)


@pytest.fixture(scope="session")
def _pool(tmp_path_factory: pytest.TempPathFactory) -> WorkerPool:
    return WorkerPool(tmp_path_factory.mktemp("workers"))


@pytest.fixture
def workers(_pool: WorkerPool) -> Iterator[WorkerPool]:
    """Starts worker processes; those that are left end with the test."""
    yield _pool
    _pool.end_workers()
