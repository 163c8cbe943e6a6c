"""Fixtures of all tests: one real broker, and names under which tests do not see each other."""

import itertools
from collections.abc import Iterator

import pytest

from streams.broker import DevelopmentBroker
from streams.kafka_settings import KafkaSettings

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevelopmentBroker]:
    """A running broker; a test that stops it starts it again."""
    with DevelopmentBroker(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture
def topic_prefix() -> str:
    """A prefix that no other test uses, for topics and consumer groups."""
    return f"t{next(_numbers)}."


@pytest.fixture
def kafka_settings(broker: DevelopmentBroker, topic_prefix: str) -> KafkaSettings:
    """The broker, seen through names of this test alone."""
    broker.start()
    return KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers,
        topic_prefix=topic_prefix,
        group_prefix=topic_prefix,
        session_timeout_ms=6_000,
    )
