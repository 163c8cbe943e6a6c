from typing import Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from streams.errors import KafkaSettingsError, KafkaUnreachableError, TopicError
from streams.kafka_settings import KafkaSettings
from streams.topics import Topics, ensure_topics

SASL: dict[str, Any] = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "sasl_username": "rehear",
    "sasl_password": "hunter2",
}


def test_secrets_stay_out_of_the_repr() -> None:
    tls = {"ssl_certfile": "c.pem", "ssl_keyfile": "k.pem", "ssl_key_password": "swordfish"}
    settings = KafkaSettings(**SASL, **tls)
    for text in (repr(settings), str(settings), f"{[settings]}"):
        assert "hunter2" not in text
        assert "swordfish" not in text
        assert "sasl_password='***'" in text
        assert "sasl_username='rehear'" in text


def test_tls_and_sasl_reach_every_client() -> None:
    settings = KafkaSettings(**SASL, ssl_cafile="ca.pem", ssl_check_hostname=False)
    for options in (settings.consumer_options("g"), settings.producer_options(), settings.admin_options()):
        assert options["security_protocol"] == "SASL_SSL"
        assert options["sasl_plain_password"] == "hunter2"  # noqa: S105 - made up
        assert options["ssl_cafile"] == "ca.pem"
        assert options["ssl_check_hostname"] is False


def test_every_option_is_one_the_clients_know() -> None:
    settings = KafkaSettings(**SASL)
    assert settings.consumer_options("g").keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert settings.producer_options().keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
    assert settings.admin_options().keys() <= KafkaAdminClient.DEFAULT_CONFIG.keys()


def test_a_consumer_without_a_group_has_none() -> None:
    assert "group_id" not in KafkaSettings().consumer_options()
    assert KafkaSettings().consumer_options("sessions")["group_id"] == "rehear.sessions"
    assert KafkaSettings().consumer_options("sessions")["enable_auto_commit"] is False


def test_a_worker_can_have_a_lasting_place_in_its_group() -> None:
    assert KafkaSettings(group_instance_id="w1").consumer_options("g")["group_instance_id"] == "w1"
    assert KafkaSettings().consumer_options("g")["group_instance_id"] is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"security_protocol": "SASL_SSL"}, "needs sasl_mechanism, sasl_username and sasl_password"),
        ({**SASL, "sasl_mechanism": "OTP"}, "sasl_mechanism is 'OTP': use one of PLAIN"),
        ({**SASL, "security_protocol": "SSL"}, r"sasl_\* is set, but security_protocol SSL"),
        ({"security_protocol": "TLS"}, "security_protocol is 'TLS': use one of PLAINTEXT, SSL"),
        ({"ssl_cafile": "ca.pem"}, r"ssl_\* is set, but security_protocol PLAINTEXT"),
        ({"security_protocol": "SSL", "ssl_keyfile": "k.pem"}, "without ssl_certfile"),
        ({"bootstrap_servers": "kafka"}, "'kafka': write host:port"),
        ({"bootstrap_servers": "a:9092,b:99999"}, "'b:99999'"),
        ({"max_poll_records": 0}, "max_poll_records is 0"),
        ({"session_timeout_ms": 10}, "session_timeout_ms is 10"),
        ({"topic_names": {"turn": "x"}}, "no such topic: turn; there are turns, sessions"),
        ({"topic_names": {"turns": "no spaces"}}, "topic name 'no spaces'"),
        ({"topic_names": {"turns": "x", "labels": "x"}}, "two topics have the same name"),
    ],
)
def test_values_that_cannot_work_say_what_to_write(values: dict[str, Any], message: str) -> None:
    with pytest.raises(KafkaSettingsError, match=message):
        KafkaSettings(**values)


def test_a_settings_file_gets_the_same_messages() -> None:
    with pytest.raises(msgspec.ValidationError, match="needs sasl_mechanism"):
        msgspec.convert({"security_protocol": "SASL_SSL"}, KafkaSettings)
    with pytest.raises(msgspec.ValidationError, match="bootstrap_server"):
        msgspec.convert({"bootstrap_server": "typo:9092"}, KafkaSettings)


def test_topics_follow_the_prefix_and_each_can_have_its_own_name() -> None:
    topics = KafkaSettings(topic_prefix="dev.", topic_names={"turns": "dialogue-log"}).topics
    assert topics.turns == "dialogue-log"
    assert topics.dead_letters == "dev.dead-letters"
    assert KafkaSettings().topics == Topics()


def test_topics_are_created_once_and_existing_ones_left_alone(kafka_settings: KafkaSettings) -> None:
    topics = kafka_settings.topics
    admin = KafkaAdminClient(**kafka_settings.admin_options())
    own = {"num_partitions": 3, "replication_factor": 1, "configs": {"retention.ms": "60000"}}
    admin.create_topics({topics.turns: own}, wait_for_metadata=True)
    created = ensure_topics(kafka_settings, partitions=2)
    assert created == [name for name in topics.all if name != topics.turns]
    assert ensure_topics(kafka_settings, partitions=5) == []
    described = admin.describe_topics(list(topics.all))
    admin.close()
    partitions = {topic["name"]: len(topic["partitions"]) for topic in described}
    assert partitions == {name: 2 for name in topics.all} | {topics.turns: 3}


def test_topics_need_a_partition(kafka_settings: KafkaSettings) -> None:
    with pytest.raises(TopicError, match="at least one"):
        ensure_topics(kafka_settings, partitions=0)


def test_a_refusal_names_the_topic(kafka_settings: KafkaSettings) -> None:
    with pytest.raises(TopicError, match=rf"cannot create topic {kafka_settings.topics.turns}"):
        ensure_topics(kafka_settings, partitions=1, replication_factor=7)


def test_no_kafka_is_one_clear_error() -> None:
    with pytest.raises(KafkaUnreachableError, match=r"no Kafka at 127\.0\.0\.1:1 \(PLAINTEXT\)"):
        ensure_topics(KafkaSettings(bootstrap_servers="127.0.0.1:1"), partitions=1)
