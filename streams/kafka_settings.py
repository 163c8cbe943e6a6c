"""How to reach Kafka, and under which names to work there."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct, structs

from streams.errors import KafkaSettingsError
from streams.topic_names import Topics

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

MASK = "***"
SECRETS = frozenset({"sasl_password", "ssl_key_password"})

SESSION_TIMEOUT_MIN_MS = 6_000
"""`group.min.session.timeout.ms` of a broker that has not been told otherwise."""

REQUEST_TIMEOUT_MS = 10_000
"""A broker on the same network answers in milliseconds; lower, a busy broker looks dead; higher, a dead one
is noticed late."""

RECONNECT_BACKOFF_MAX_MS = 2_000
"""How long a broker that came back may go unnoticed. The client's own 30 s would double most outages."""

BOOTSTRAP_TIMEOUT_MS = 10_000
"""How long one attempt to reach the cluster takes before it is logged and repeated."""

FETCH_MAX_BYTES = 32 << 20
"""Memory that one fetch may take. A larger single record still comes through, alone."""

PARTITION_FETCH_MAX_BYTES = 4 << 20
"""About 5,000 turns of 800 bytes: one batch. Larger costs memory for each partition, smaller costs round
trips. A larger single record still comes through, alone."""

RECEIVE_MAX_BYTES = (1 << 31) - 1
"""Largest answer that is read, the protocol's own limit. The development broker sends all that it has,
whatever was asked for; with the client's 100 MB a longer log would never be read, and nobody be told."""

PRODUCER_BATCH_BYTES = 256 << 10
"""Records of a batch go out together, so the batches can be large; must stay below the broker's
`message.max.bytes` (1 MiB unless set)."""

PRODUCER_LINGER_MS = 5
"""The loop flushes after each batch: waiting longer only adds latency."""


class KafkaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach Kafka, and under which names to work there.

    Raises:
        KafkaSettingsError: values that cannot work together; the message names them and the way out.
    """

    bootstrap_servers: str = "127.0.0.1:9092"  # host:port, several separated by commas
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_key_password: str | None = None
    ssl_check_hostname: bool = True
    client_id: str = "rehear"
    group_prefix: str = "rehear."
    group_instance_id: str | None = None  # see `consumer_options`
    topic_prefix: str = "rehear."
    topic_names: Mapping[str, str] = {}  # a field of `Topics` to the name to use instead
    session_timeout_ms: int = 30_000  # silence after which the group gives a worker's partitions away
    max_poll_interval_ms: int = 300_000  # the same for a worker that lives but does not poll
    max_poll_records: int = 5_000  # most records of a batch, which is one transaction
    max_request_bytes: int = 8 << 20  # largest record to produce; the broker may allow less

    def __post_init__(self) -> None:
        for server in self.servers:
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
                raise KafkaSettingsError(
                    f"bootstrap_servers has {server!r}: write host:port, several separated by commas"
                )
        self._check_security()
        for name in ("session_timeout_ms", "max_poll_interval_ms", "max_poll_records", "max_request_bytes"):
            if getattr(self, name) <= 0:
                raise KafkaSettingsError(f"{name} is {getattr(self, name)}: it must be above 0")
        if self.session_timeout_ms < SESSION_TIMEOUT_MIN_MS:
            raise KafkaSettingsError(
                f"session_timeout_ms is {self.session_timeout_ms}: brokers refuse less than "
                f"{SESSION_TIMEOUT_MIN_MS}"
            )
        _ = self.topics  # checks the names

    def __repr__(self) -> str:
        shown = (
            f"{name}={MASK!r}" if name in SECRETS and value is not None else f"{name}={value!r}"
            for name, value in structs.asdict(self).items()
            if value != getattr(_DEFAULTS, name)
        )
        return f"KafkaSettings({', '.join(shown)})"

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers, one by one."""
        return [server.strip() for server in self.bootstrap_servers.split(",")]

    @property
    def topics(self) -> Topics:
        """The topics to work with."""
        return Topics.named(self.topic_prefix, self.topic_names)

    def group_id(self, name: str) -> str:
        """The consumer group of a task."""
        return self.group_prefix + name

    def consumer_options(self, group: str | None = None) -> dict[str, Any]:
        """Keyword arguments of KafkaConsumer; without a group it can only be assigned partitions by hand.

        Offsets are never committed behind the caller's back, and an offset that the log does not have is
        an error, not a silent jump.

        With a `group_instance_id`, which must be this worker's alone and the same after a restart, a worker
        that was killed gets its partitions back as soon as it is started again. Without one they are stuck
        until the session timeout, but a worker that stops in good order hands them over at once.
        """
        options = self._connection() | {
            "enable_auto_commit": False,
            "auto_offset_reset": "none",
            "allow_auto_create_topics": False,
            "max_poll_records": self.max_poll_records,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "max_partition_fetch_bytes": PARTITION_FETCH_MAX_BYTES,
            "receive_message_max_bytes": RECEIVE_MAX_BYTES,
            "metrics_enabled": False,
        }
        if group is not None:
            options |= {
                "group_id": self.group_id(group),
                "session_timeout_ms": self.session_timeout_ms,
                "heartbeat_interval_ms": min(3_000, self.session_timeout_ms // 3),
                "max_poll_interval_ms": self.max_poll_interval_ms,
                "group_instance_id": self.group_instance_id,
            }
        return options

    def producer_options(self) -> dict[str, Any]:
        """Keyword arguments of KafkaProducer: idempotent, acknowledged by all replicas."""
        return self._connection() | {
            "acks": "all",
            "enable_idempotence": True,
            "batch_size": PRODUCER_BATCH_BYTES,
            "linger_ms": PRODUCER_LINGER_MS,
            "max_request_size": self.max_request_bytes,
            "max_block_ms": BOOTSTRAP_TIMEOUT_MS,
            "delivery_timeout_ms": 3 * REQUEST_TIMEOUT_MS,
            "allow_auto_create_topics": False,
            "metrics_enabled": False,
        }

    def admin_options(self) -> dict[str, Any]:
        """Keyword arguments of KafkaAdminClient."""
        return self._connection()

    def _connection(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "client_id": self.client_id,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "reconnect_backoff_max_ms": RECONNECT_BACKOFF_MAX_MS,
            "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
        }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            options |= {
                "ssl_cafile": self.ssl_cafile,
                "ssl_certfile": self.ssl_certfile,
                "ssl_keyfile": self.ssl_keyfile,
                "ssl_password": self.ssl_key_password,
                "ssl_check_hostname": self.ssl_check_hostname,
            }
        return options

    def _check_security(self) -> None:
        protocol = self.security_protocol
        if protocol not in get_args(SecurityProtocol):
            raise KafkaSettingsError(
                f"security_protocol is {protocol!r}: use one of {', '.join(get_args(SecurityProtocol))}"
            )
        sasl = (self.sasl_mechanism, self.sasl_username, self.sasl_password)
        if protocol.startswith("SASL"):
            if None in sasl:
                raise KafkaSettingsError(
                    f"security_protocol {protocol} needs sasl_mechanism, sasl_username and sasl_password"
                )
            if self.sasl_mechanism not in get_args(SaslMechanism):
                known = ", ".join(get_args(SaslMechanism))
                raise KafkaSettingsError(f"sasl_mechanism is {self.sasl_mechanism!r}: use one of {known}")
        elif sasl != (None, None, None):
            raise KafkaSettingsError(
                f"sasl_* is set, but security_protocol {protocol} does not use it: "
                "take SASL_SSL (or SASL_PLAINTEXT), or remove sasl_*"
            )
        files = (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile, self.ssl_key_password)
        if not protocol.endswith("SSL") and files != (None,) * len(files):
            raise KafkaSettingsError(
                f"ssl_* is set, but security_protocol {protocol} does not use it: "
                "take SSL (or SASL_SSL), or remove ssl_*"
            )
        if self.ssl_keyfile is not None and self.ssl_certfile is None:
            raise KafkaSettingsError(
                "ssl_keyfile is set without ssl_certfile: the key belongs to a certificate"
            )


_DEFAULTS = KafkaSettings()
