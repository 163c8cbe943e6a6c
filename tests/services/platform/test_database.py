import importlib
import pkgutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy.exc
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import opened
from sqlalchemy import Engine, MetaData, column, create_engine, inspect, make_url, table, text, update
from waiting import HANGS_AFTER_S

import failure_isolation
import labeling
import rewriting
import services
import streams
from rewriting.errors import SchemaVersionError
from rewriting.table.schema import REWRITE_TABLES
from services.errors import DatabaseError
from services.platform import database
from services.platform.database import VERSION_TABLE, is_retriable, open_database
from streams.stores.database_schema import METADATA, chunks, reading, upsert


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "rehear.db"


@pytest.fixture
def sqlite_engine(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A SQLite database whose writers give up at once."""
    monkeypatch.setattr(database, "LOCK_WAIT_S", 0.05)
    with opened(sqlite_path) as engine:
        yield engine


def put(engine: Engine, assistant_id: str, version: int = 1) -> None:
    with engine.begin() as connection:
        upsert(connection, REWRITE_TABLES, [{"assistant_id": assistant_id, "version": version}])


def held(engine: Engine) -> dict[str, int]:
    with reading(engine) as connection:
        rows = connection.execute(REWRITE_TABLES.select()).all()
        return {assistant_id: version for assistant_id, version in rows}


# Opening


def test_the_migrations_make_the_tables_that_the_code_declares(bare_database_location: str) -> None:
    for package in (streams, labeling, rewriting, failure_isolation, services):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.startswith("services.migrations."):
                importlib.import_module(module.name)
    with opened(bare_database_location) as engine, engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, METADATA) == []


def test_a_missing_table_would_be_noticed(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, MetaData()) != []


def test_what_was_written_is_there_when_it_is_opened_again(bare_database_location: str) -> None:
    for number in (1, 2):
        with opened(bare_database_location) as engine:
            put(engine, f"assistant {number}")
            assert len(held(engine)) == number


def test_sqlite_is_opened_by_path_or_url(tmp_path: Path) -> None:
    path = tmp_path / "a folder?#%é" / "re hear.db"
    for location in (path, str(path), f"sqlite:///{tmp_path}/other.db"):
        with opened(location) as engine:
            put(engine, "home")
    assert path.is_file()
    assert (tmp_path / "other.db").is_file()


def test_sqlite_is_set_up_to_be_safe_and_fast(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 1,
        "foreign_keys": 1,
        "busy_timeout": 50,
        "secure_delete": 1,
    }


@pytest.mark.parametrize(
    "location",
    ["", ":memory:", "sqlite://", "sqlite:///:memory:", "mysql://host/name", "://", "sqlite+x:///y"],
)
def test_a_location_that_cannot_be_opened_is_refused(location: str) -> None:
    with pytest.raises(DatabaseError, match="give"):
        open_database(location)


def test_the_password_of_a_url_is_not_shown() -> None:
    with pytest.raises(DatabaseError) as caught:
        open_database("mysql://user:secret@host/name")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_left_alone(sqlite_path: Path) -> None:
    sqlite_path.write_text("turns and turns\n" * 100)
    with pytest.raises(DatabaseError, match="is no SQLite database"):
        open_database(sqlite_path)
    assert sqlite_path.read_text() == "turns and turns\n" * 100


def test_a_database_of_a_newer_version_is_refused(bare_database_location: str) -> None:
    with opened(bare_database_location) as engine, engine.begin() as connection:
        connection.execute(update(table(VERSION_TABLE, column("version_num"))).values(version_num="9999"))
    with pytest.raises(SchemaVersionError, match=r"schema 9999.*upgrade Rehear"):
        open_database(bare_database_location)


def test_several_processes_can_open_a_new_database_at_once(bare_database_location: str) -> None:
    program = (
        "import sys; from services.platform.database import open_database; "
        "open_database(sys.argv[1]).dispose()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, bare_database_location],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )
        for _ in range(4)
    ]
    for process in processes:
        _, errors = process.communicate(timeout=HANGS_AFTER_S)
        assert process.returncode == 0, errors.decode()
    with opened(bare_database_location) as engine:
        assert held(engine) == {}


# Transactions


def test_a_transaction_that_reads_first_and_then_writes_waits_its_turn(engine: Engine) -> None:
    """Two threads count up: no number is lost, and none fails because the other was faster."""
    put(engine, "home", 0)

    def count() -> None:
        for _ in range(25):
            with engine.begin() as connection:
                found = connection.execute(REWRITE_TABLES.select().with_for_update()).one()
                connection.execute(REWRITE_TABLES.update().values(version=found.version + 1))

    with ThreadPoolExecutor(2) as threads:
        counted = [threads.submit(count) for _ in range(2)]
    assert [one.exception() for one in counted] == [None, None]
    assert held(engine) == {"home": 50}


def test_a_reader_neither_waits_for_a_writer_nor_sees_half_of_it(engine: Engine) -> None:
    put(engine, "home", 1)
    with reading(engine) as reader:
        assert reader.execute(REWRITE_TABLES.select()).one().version == 1
        with engine.begin() as writer:
            writer.execute(REWRITE_TABLES.update().values(version=2))
            assert held(engine) == {"home": 1}
        assert reader.execute(REWRITE_TABLES.select()).one().version == 1
    assert held(engine) == {"home": 2}


def test_a_reading_connection_leaves_no_trace_on_the_next_writer(engine: Engine) -> None:
    for version in range(5):
        held(engine)
        put(engine, "home", version)
    assert held(engine) == {"home": 4}


def test_an_upsert_sets_what_it_is_given(engine: Engine) -> None:
    put(engine, "home", 1)
    row = {"assistant_id": "home", "version": 2}
    with engine.begin() as connection:
        upsert(connection, REWRITE_TABLES, [row], update=())
        upsert(connection, REWRITE_TABLES, [])
    assert held(engine) == {"home": 1}
    with engine.begin() as connection:
        upsert(connection, REWRITE_TABLES, [row, {"assistant_id": "car", "version": 7}])
    assert held(engine) == {"home": 2, "car": 7}


def test_chunks_are_all_items_in_order() -> None:
    assert list(chunks([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(chunks([], 2)) == []


# Faults


def test_a_locked_database_is_worth_another_try(sqlite_engine: Engine, sqlite_path: Path) -> None:
    other = sqlite3.connect(sqlite_path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
        put(sqlite_engine, "home")
    assert is_retriable(caught.value)
    assert held(sqlite_engine) == {}  # readers do not mind
    other.execute("COMMIT")
    other.close()
    put(sqlite_engine, "home")
    assert held(sqlite_engine) == {"home": 1}


def test_a_file_that_is_away_is_worth_another_try(sqlite_engine: Engine, sqlite_path: Path) -> None:
    put(sqlite_engine, "home")
    away = sqlite_path.parent / "away"
    away.mkdir()
    files = [path for path in sqlite_path.parent.iterdir() if path.is_file()]
    for path in files:
        path.rename(away / path.name)
    for _ in range(2):
        with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
            put(sqlite_engine, "car")
        assert is_retriable(caught.value)
    assert not sqlite_path.exists()  # no empty database in the place of the one that is away
    for path in files:
        (away / path.name).rename(path)
    put(sqlite_engine, "car")
    assert held(sqlite_engine) == {"home": 1, "car": 1}


def test_a_file_that_was_replaced_is_taken_up(
    sqlite_engine: Engine, sqlite_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.db"
    with opened(copy) as engine:
        put(engine, "copy")
    put(sqlite_engine, "original")
    for path in (Path(f"{sqlite_path}-wal"), Path(f"{sqlite_path}-shm")):
        path.unlink(missing_ok=True)
    copy.rename(sqlite_path)
    put(sqlite_engine, "home")
    assert held(sqlite_engine) == {"copy": 1, "home": 1}


def test_a_server_that_is_away_is_worth_another_try(postgres_url: str, tmp_path: Path) -> None:
    nobody_there = make_url(postgres_url).update_query_dict({"host": str(tmp_path)})
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
        open_database(nobody_there.render_as_string(hide_password=False))
    assert is_retriable(caught.value)


def test_a_connection_that_the_server_ends_is_worth_another_try(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    put(engine, "home")
    end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = :pid")
    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with engine.begin() as other:
            other.execute(end, {"pid": pid})
        with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
            connection.execute(text("SELECT 1"))
    assert is_retriable(caught.value)
    put(engine, "car")  # on a new connection
    assert held(engine) == {"home": 1, "car": 1}
    engine.dispose()


def test_one_of_two_transactions_in_each_others_way_is_worth_another_try(postgres_url: str) -> None:
    engine = open_database(postgres_url)
    put(engine, "home")
    put(engine, "car")
    change = REWRITE_TABLES.update().values(version=2)
    both_hold_one = threading.Barrier(2, timeout=HANGS_AFTER_S)

    def write(first: str, second: str) -> None:
        with engine.begin() as connection:
            connection.execute(change.where(REWRITE_TABLES.c.assistant_id == first))
            both_hold_one.wait()
            connection.execute(change.where(REWRITE_TABLES.c.assistant_id == second))

    with ThreadPoolExecutor(2) as threads:
        written = threads.submit(write, "home", "car"), threads.submit(write, "car", "home")
    (failure,) = filter(None, (one.exception() for one in written))
    assert is_retriable(failure)
    engine.dispose()


def test_a_database_that_is_not_there_is_not_worth_another_try(postgres_url: str) -> None:
    wrong = make_url(postgres_url).set(database="nobody_made_this").render_as_string(hide_password=False)
    with pytest.raises(sqlalchemy.exc.OperationalError) as caught:
        open_database(wrong)
    assert not is_retriable(caught.value)


def test_a_wrong_statement_is_not_worth_another_try(engine: Engine) -> None:
    with pytest.raises(sqlalchemy.exc.DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text("SELECT * FROM nothing"))
    assert not is_retriable(caught.value)
    with pytest.raises(sqlalchemy.exc.IntegrityError) as broken, engine.begin() as connection:
        connection.execute(REWRITE_TABLES.insert(), [{"assistant_id": "a", "version": None}])
    assert not is_retriable(broken.value)
    assert not is_retriable(ValueError("other"))


def test_other_programs_tables_in_the_same_server_are_left_alone(bare_postgres_url: str) -> None:
    server = create_engine(make_url(bare_postgres_url).set(drivername="postgresql+psycopg"))
    with server.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
    engine = open_database(bare_postgres_url)
    assert "rewrites" in inspect(engine).get_table_names()
    with server.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "theirs"
    engine.dispose()
    server.dispose()
