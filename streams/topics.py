"""The topics: their names, and their creation."""

import structlog
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from streams.errors import TopicError
from streams.kafka_connection import open_admin, open_consumer
from streams.kafka_settings import KafkaSettings
from streams.topic_names import Topics

__all__ = ["Topics", "end_offsets", "ensure_topics"]

log = structlog.get_logger()

METADATA_TIMEOUT_S = 10.0
"""How long a topic may take to get a leader for each partition; seconds on a real cluster."""


def ensure_topics(settings: KafkaSettings, partitions: int, replication_factor: int = -1) -> list[str]:
    """Creates the topics that are missing, and returns their names; leaves others as they are.

    Records are kept forever: an old log is replayed with its own timestamps, which a retention time would
    delete at once. The topics of rewrites, labels and failures are
    compacted.

    Args:
        settings: where, and which names.
        partitions: of each new topic.
        replication_factor: of each new topic; -1 is the broker's default.

    Raises:
        KafkaUnreachableError: no server answers.
        TopicError: the broker refuses; the message says which topic and why.
    """
    if partitions < 1:
        raise TopicError(f"partitions is {partitions}: a topic has at least one")
    topics = settings.topics
    admin = open_admin(settings)
    try:
        existing = set(admin.list_topics())
        missing = [name for name in topics.all if name not in existing]
        for name in missing:
            configs = {"retention.ms": "-1"}
            if name in (topics.rewrites, topics.labels, topics.failures):
                configs["cleanup.policy"] = "compact"
            if name == topics.dead_letters:  # what came through the source must fit in here
                configs["max.message.bytes"] = str(settings.max_request_bytes)
            _create(admin, name, partitions, replication_factor, configs)
        if missing:
            admin.wait_for_topics(missing, timeout_ms=METADATA_TIMEOUT_S * 1000)
            log.info("topics created", topics=missing, partitions=partitions)
    except KafkaError as error:
        raise TopicError(f"cannot list topics at {settings.bootstrap_servers}: {error}") from error
    finally:
        admin.close()
    return missing


def end_offsets(settings: KafkaSettings, topic: str) -> dict[int, int]:
    """The offset after the last record of each partition of a topic.

    Raises:
        KafkaUnreachableError: no server answers.
        TopicError: there is no such topic, or the broker does not tell.
    """
    consumer = open_consumer(settings)
    try:
        numbers = consumer.partitions_for_topic(topic)
        if not numbers:
            raise TopicError(f"there is no topic {topic} at {settings.bootstrap_servers}")
        found = consumer.end_offsets([TopicPartition(topic, number) for number in sorted(numbers)])
        return {partition.partition: offset for partition, offset in found.items()}
    except KafkaError as error:
        raise TopicError(
            f"cannot read the end of {topic} at {settings.bootstrap_servers}: {error}"
        ) from error
    finally:
        consumer.close()


def _create(
    admin: KafkaAdminClient, name: str, partitions: int, replication_factor: int, configs: dict[str, str]
) -> None:
    options = {"num_partitions": partitions, "replication_factor": replication_factor, "configs": configs}
    try:
        admin.create_topics({name: options})
    except TopicAlreadyExistsError:  # another worker was faster
        log.debug("topic exists", topic=name)
    except KafkaError as error:
        raise TopicError(
            f"cannot create topic {name} with {configs}: {error}. Create it by hand, or allow it"
        ) from error
