from pathlib import Path

import pytest

from services.errors import SettingsError
from services.settings import Settings, load_settings


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "rehear.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_nothing_set_is_the_defaults() -> None:
    settings = load_settings(None, {"PATH": "/bin"})
    assert settings == Settings()
    assert settings.kafka is None
    assert settings.database_location == str(Path("state").absolute() / "rehear.db")


def test_the_file_is_read_and_the_environment_goes_over_it(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        'state = "Zustände"\n[kafka]\nbootstrap_servers = "one:1,two:2"\ntopic_prefix = "dev."\n'
        "[sessions]\ngap_ms = 30000\n[chain]\nmin_odds = 1\n[answers]\nmin_users = 4\n"
        '[guards]\nmin_trust = 7\n[sensitive]\nwords = ["open the vault"]\n',
    )
    environment = {"REHEAR_KAFKA__TOPIC_PREFIX": "prod.", "REHEAR_SESSIONS__IDLE_TIMEOUT_MS": "5"}
    environment["REHEAR_SENSITIVE__FORBIDDEN"] = "true"
    settings = load_settings(file, environment)
    assert settings.state == "Zustände"
    assert settings.kafka is not None
    assert settings.kafka.bootstrap_servers == "one:1,two:2"
    assert settings.kafka.topic_prefix == "prod."
    assert (settings.sessions.gap_ms, settings.sessions.idle_timeout_ms) == (30_000, 5)
    assert settings.chain.min_odds == 1.0
    assert settings.answers.min_users == 4
    assert settings.guards.min_trust == 7
    assert settings.sensitive.words == ("open the vault",)
    assert settings.sensitive.forbidden
    assert "unlock" in settings.sensitive.intents
    assert load_settings(None, environment | {"REHEAR_SETTINGS": str(file)}) == settings


def test_a_table_may_come_from_the_environment_alone() -> None:
    settings = load_settings(
        None,
        {
            "REHEAR_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092",
            "REHEAR_KAFKA__TOPIC_NAMES__TURNS": "dialogues",
            "REHEAR_KAFKA__SSL_CHECK_HOSTNAME": "false",
            "REHEAR_DATABASE": "postgresql://db/rehear",
            "REHEAR_METRICS__PORT": "9000",
        },
    )
    assert settings.kafka is not None
    assert settings.kafka.topics.turns == "dialogues"
    assert settings.kafka.ssl_check_hostname is False
    assert settings.database_location == "postgresql://db/rehear"
    assert settings.metrics.port == 9_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("gap = 1", "gap"),
        ("[session]\ngap_ms = 1", "session"),
        ("[sessions]\ngap_s = 1", "gap_s"),
        ("[kafka]\nbootstrap_server = 'a:1'", "bootstrap_server"),
        ("[sessions]\ngap_ms = 'soon'", "gap_ms"),
        ("[sessions]\ngap_ms = 4.5", "gap_ms"),
        ("sessions = 3", "sessions"),
        ("[chain]\nmin_users = [2]", "min_users"),
        ("[answers]\nmin_share = 2", "min_share is 2"),
        ("[serving]\ncontrol = 5", "control is 5.*it must be from 0 to 1.*serving"),
        ("[serving.arms.late]\nshare = 0.99", "control and the shares of arms add up to 1.04"),
        ("[serving.arms.late]\nscopes = 'all'", "share"),
        ("[serving.arms.late]\nshare = 0.1\nscopes = 'mine'", "mine"),
        ("[serving]\nholdout = 0.1", "holdout"),
        ("[guards]\nmin_share = 2", "min_share is 2"),
        ("[guards]\nmin_people = 2", "min_people"),
        ("[sensitive]\nword = ['pay']", "word"),
        ("[kafka]\nbootstrap_servers = 'nowhere'", "nowhere"),
        ("[kafka]\nsecurity_protocol = 'SASL_SSL'", "sasl_password"),
        ("[kafka]\ntopic_names = {turn = 'x'}", "turn"),
        ("[sessions", "table declaration"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(text: str, complaint: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)
    with pytest.raises(SettingsError, match=complaint) as failure:
        load_settings(file, {})
    assert "rehear.toml" in str(failure.value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("REHEAR_KAFKA__BOOTSTRAP_SERVER", "a:1"),
        ("REHEAR_DATABSE", "x"),
        ("REHEAR_SESSIONS__GAP_MS", "soon"),
        ("REHEAR_SESSIONS", "1"),
        ("REHEAR_STATE__X", "1"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(variable: str, value: str, tmp_path: Path) -> None:
    file = written(tmp_path, 'state = "state"')
    with pytest.raises(SettingsError) as failure:
        load_settings(file, {variable: value})
    assert variable.split("_")[-1].lower() in str(failure.value).lower()


def test_a_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load_settings(tmp_path / "missing.toml", {})
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"binary\.toml"):
        load_settings(tmp_path / "binary.toml", {})


def test_a_byte_order_mark_is_passed_over_and_another_encoding_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, '\ufeffstate = "Zustände"\r\n[sessions]\r\ngap_ms = 30000\r\n')
    assert load_settings(file, {}).state == "Zustände"
    file.write_bytes('state = "Zustände"'.encode("utf-16"))
    with pytest.raises(
        SettingsError, match=r"rehear\.toml: it is UTF-16, by its byte order mark: write it as"
    ):
        load_settings(file, {})


def test_secrets_are_not_shown() -> None:
    settings = load_settings(
        None,
        {
            "REHEAR_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "REHEAR_KAFKA__SASL_MECHANISM": "PLAIN",
            "REHEAR_KAFKA__SASL_USERNAME": "rehear",
            "REHEAR_KAFKA__SASL_PASSWORD": "open-sesame",
            "REHEAR_KAFKA__SSL_KEY_PASSWORD": "open-barley",
            "REHEAR_DATABASE": "postgresql://rehear:open-rice@db/rehear",
        },
    )
    assert settings.kafka is not None
    assert settings.kafka.sasl_password == "open-sesame"  # noqa: S105 (of no real server)
    for shown in (repr(settings), str(settings)):
        assert "open-" not in shown
        assert "db/rehear" in shown
