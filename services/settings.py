"""Settings: one file, and the environment over it.

The file is TOML; each part of the program has its table, and unknown keys are errors. An environment variable
overrides one value: `REHEAR_KAFKA__BOOTSTRAP_SERVERS` sets `bootstrap_servers` in `[kafka]`, and
`REHEAR_DATABASE` sets `database`.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from failure_isolation.settings import FailureSettings
from labeling.labels.settings import LabelSettings
from rewriting.answers.settings import AnswerSettings
from rewriting.chains.settings import ChainSettings
from rewriting.encoders.settings import EncoderSettings
from rewriting.evidence_settings import EvidenceSettings
from rewriting.guards.settings import GuardSettings, SensitiveSettings
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.settings import RankerSettings
from rewriting.rephrases.settings import RephraseSettings
from rewriting.serving.settings import ServingSettings
from services.errors import SettingsError
from services.platform.api_settings import LookupApiSettings, OnlineTask
from streams.byte_order_mark import marked_encoding, without_utf8_mark
from streams.errors import StreamError
from streams.kafka_settings import MASK, KafkaSettings
from streams.session import DEFAULT_GAP_MS

ENVIRONMENT_PREFIX = "REHEAR_"
SETTINGS_FILE_VARIABLE = "REHEAR_SETTINGS"
_PASSWORD_IN_URL = re.compile(r"(://[^:/@]*:).*@")


class SessionSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How turns become sessions."""

    gap_ms: int = DEFAULT_GAP_MS  # silence that ends a session
    idle_timeout_ms: int = DEFAULT_GAP_MS  # silence of all users, by the clock on the wall, that ends all


class MetricsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where workers serve their Prometheus metrics."""

    host: str = "127.0.0.1"
    port: int = 0  # 0: nowhere; `rehear up` gives it to the first worker, and those after it to the others


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set; a part gets only its own table."""

    state: str = "state"  # folder of what Rehear keeps on this machine
    database: str | None = None  # path or URL; by default rehear.db in the state folder
    kafka: KafkaSettings | None = None  # none: a broker for development is started
    broker_port: int = 9092  # of the broker for development; 0: any free one
    sessions: SessionSettings = SessionSettings()
    chain: ChainSettings = ChainSettings()
    answers: AnswerSettings = AnswerSettings()
    guards: GuardSettings = GuardSettings()
    sensitive: SensitiveSettings = SensitiveSettings()
    online: OnlineSettings = OnlineSettings()
    serving: ServingSettings = ServingSettings()
    encoder: EncoderSettings = EncoderSettings()
    ranker: RankerSettings = RankerSettings()
    rephrases: RephraseSettings = RephraseSettings()
    labels: LabelSettings = LabelSettings()
    failures: FailureSettings = FailureSettings()
    api: LookupApiSettings = LookupApiSettings()
    metrics: MetricsSettings = MetricsSettings()

    def __repr__(self) -> str:
        shown = msgspec.structs.asdict(self)
        if self.database is not None:
            shown["database"] = self.database_shown
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def state_folder(self) -> Path:
        """Of what Rehear keeps on this machine, whatever folder the process goes to."""
        return Path(self.state).absolute()

    @property
    def database_location(self) -> str:
        """Path or URL of the database."""
        return self.database or str(self.state_folder / "rehear.db")

    @property
    def online_task(self) -> OnlineTask:
        """What the lookup API needs to rewrite requests online."""
        return OnlineTask(
            state=str(self.state_folder),
            settings=self.online,
            guards=self.guards,
            sensitive=self.sensitive,
        )

    @property
    def evidence(self) -> EvidenceSettings:
        """What chains and online rewriting go by, beside the turns of a session."""
        return EvidenceSettings.of(self.rephrases, self.labels)

    @property
    def database_shown(self) -> str:
        """The same, without a password."""
        return _PASSWORD_IN_URL.sub(rf"\1{MASK}@", self.database_location)


def load_settings(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """Reads the settings.

    Args:
        path: the TOML file; by default the one that `REHEAR_SETTINGS` names, if any.
        environment: of the process.

    Raises:
        SettingsError: the file cannot be read, or a value or name is wrong; the message says which.
    """
    if path is None and SETTINGS_FILE_VARIABLE in environment:
        path = Path(environment[SETTINGS_FILE_VARIABLE])
    values: dict[str, Any] = {}
    if path is not None:
        try:
            text = path.read_bytes()
            encoding = marked_encoding(text)
            if encoding not in (None, "UTF-8"):
                raise SettingsError(
                    f"settings file {path}: it is {encoding}, by its byte order mark: write it as UTF-8"
                )
            values = tomllib.loads(without_utf8_mark(text).decode())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"settings file {path}: {error}") from error
    for variable in sorted(environment):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable != SETTINGS_FILE_VARIABLE:
            _set(values, variable, environment[variable])
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        where = f"settings file {path} or environment" if path else "environment"
        raise SettingsError(f"{where}: {error}") from error
    except StreamError as error:
        raise SettingsError(f"[kafka] {error}") from error


def _set(values: dict[str, Any], variable: str, value: str) -> None:
    *tables, name = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise SettingsError(f"{variable}: {table} is a value, not a table")
    values[name] = value
