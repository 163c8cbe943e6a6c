"""Clients of Kafka, opened so that an absent Kafka is one clear error."""

import socket

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from streams.errors import KafkaUnreachableError
from streams.kafka_settings import KafkaSettings

PROBE_TIMEOUT_S = 3.0
"""How long a server may take to accept a connection; it takes milliseconds when it is there."""

_LOST_MEMBERSHIP = (
    CommitFailedError,
    IllegalGenerationError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


def open_consumer(settings: KafkaSettings, group: str | None = None) -> KafkaConsumer:
    """A consumer that has found its cluster; in a group, or to be assigned partitions by hand.

    Raises:
        KafkaUnreachableError: no server answers.
    """
    _probe(settings)
    try:
        return KafkaConsumer(**settings.consumer_options(group))
    except KafkaError as error:
        if not is_passing(error):
            raise
        raise _unreachable(settings, error) from error


def open_producer(settings: KafkaSettings) -> KafkaProducer:
    """A producer that has found its cluster.

    Raises:
        KafkaUnreachableError: no server answers.
    """
    _probe(settings)
    try:
        return KafkaProducer(**settings.producer_options())
    except KafkaError as error:
        if not is_passing(error):
            raise
        raise _unreachable(settings, error) from error


def open_admin(settings: KafkaSettings) -> KafkaAdminClient:
    """An administration client that has found its cluster.

    Raises:
        KafkaUnreachableError: no server answers.
    """
    _probe(settings)
    try:
        return KafkaAdminClient(**settings.admin_options())
    except KafkaError as error:
        if not is_passing(error):
            raise
        raise _unreachable(settings, error) from error


def is_passing(error: BaseException) -> bool:
    """Whether waiting or joining the group again helps: Kafka is away, or has given our place to another."""
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, _LOST_MEMBERSHIP)
    return isinstance(error, (KafkaUnreachableError, OSError))


def _probe(settings: KafkaSettings) -> None:
    # A client that does not find its cluster leaves a thread behind, so it is not made before there is one.
    for server in settings.servers:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=PROBE_TIMEOUT_S).close()
            return
        except OSError as error:
            last = error
    raise _unreachable(settings, last) from last


def _unreachable(settings: KafkaSettings, error: Exception) -> KafkaUnreachableError:
    return KafkaUnreachableError(
        f"no Kafka at {settings.bootstrap_servers} ({settings.security_protocol}): {error}. "
        "Check bootstrap_servers, the security settings, and that it runs"
    )
