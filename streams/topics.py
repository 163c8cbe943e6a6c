"""The topics: their names, and their creation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import structlog
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError
from msgspec import Struct, structs

from streams.errors import KafkaSettingsError, TopicError

if TYPE_CHECKING:
    from streams.kafka_settings import KafkaSettings

log = structlog.get_logger()

METADATA_TIMEOUT_S = 10.0
"""How long a topic may take to get a leader for each partition; seconds on a real cluster."""

_LEGAL_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Topics(Struct, frozen=True, kw_only=True):
    """The names of the topics."""

    turns: str = "rehear.turns"
    sessions: str = "rehear.sessions"
    labels: str = "rehear.labels"
    failures: str = "rehear.failures"
    rewrites: str = "rehear.rewrites"
    dead_letters: str = "rehear.dead-letters"

    def __post_init__(self) -> None:
        names = list(self)
        for name in names:
            if not _LEGAL_NAME.fullmatch(name) or name in (".", ".."):
                raise KafkaSettingsError(
                    f"topic name {name!r}: Kafka allows 1 to 249 letters, digits, '.', '_' and '-'"
                )
        if len(set(names)) != len(names):
            raise KafkaSettingsError(f"two topics have the same name: {', '.join(sorted(names))}")

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(structs.astuple(self))

    @classmethod
    def named(cls, prefix: str, overrides: Mapping[str, str] = {}) -> Topics:
        """The topics under a prefix, some under names of their own.

        >>> Topics.named("dev.", {"turns": "dialogue-log"}).sessions
        'dev.sessions'
        """
        if unknown := set(overrides) - set(cls.__struct_fields__):
            raise KafkaSettingsError(
                f"no such topic: {', '.join(sorted(unknown))}; there are {', '.join(cls.__struct_fields__)}"
            )
        names = {field: prefix + field.replace("_", "-") for field in cls.__struct_fields__}
        return cls(**names | dict(overrides))


def ensure_topics(settings: KafkaSettings, partitions: int, replication_factor: int = -1) -> list[str]:
    """Creates the topics that are missing, and returns their names; leaves others as they are.

    Records are kept forever: an old log is replayed with its own timestamps, which a retention time would
    delete at once. The rewrites topic is compacted.

    Args:
        settings: where, and which names.
        partitions: of each new topic.
        replication_factor: of each new topic; -1 is the broker's default.

    Raises:
        TopicError: the broker cannot be reached or refuses; the message says which topic and why.
    """
    if partitions < 1:
        raise TopicError(f"partitions is {partitions}: a topic has at least one")
    topics = settings.topics
    try:
        admin = KafkaAdminClient(**settings.admin_options())
    except (KafkaError, OSError) as error:
        raise TopicError(f"no Kafka at {settings.bootstrap_servers}: {error}") from error
    try:
        existing = set(admin.list_topics())
        missing = [name for name in topics if name not in existing]
        for name in missing:
            _create(admin, name, partitions, replication_factor, compacted=name == topics.rewrites)
        if missing:
            admin.wait_for_topics(missing, timeout_ms=METADATA_TIMEOUT_S * 1000)
            log.info("topics created", topics=missing, partitions=partitions)
    except KafkaError as error:
        raise TopicError(f"cannot list topics at {settings.bootstrap_servers}: {error}") from error
    finally:
        admin.close()
    return missing


def _create(
    admin: KafkaAdminClient, name: str, partitions: int, replication_factor: int, *, compacted: bool
) -> None:
    configs = {"retention.ms": "-1"} | ({"cleanup.policy": "compact"} if compacted else {})
    options = {"num_partitions": partitions, "replication_factor": replication_factor, "configs": configs}
    try:
        admin.create_topics({name: options})
    except TopicAlreadyExistsError:  # another worker was faster
        log.debug("topic exists", topic=name)
    except KafkaError as error:
        raise TopicError(
            f"cannot create topic {name}: {error}. Create it by hand, or allow {admin.config['client_id']} to"
        ) from error
