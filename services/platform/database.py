"""Opens the database: SQLite in a file, or PostgreSQL.

SQLite runs with a write-ahead log and `synchronous=NORMAL`: a killed process loses nothing; a power loss may
lose the last transactions, as whole ones. That is safe here: the offsets up to which a log was read are
written in the same transactions as what was learned from it, so what is lost is read again.
"""

import functools
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from rewriting.errors import SchemaVersionError
from services.errors import DatabaseError
from streams.stores.database_schema import READS_ONLY, reading

log = structlog.get_logger()

LOCK_WAIT_S = 10.0
"""How long a writer waits for another. Raised, an operator waits longer to learn that a writer hangs;
lowered, the first load of a large table makes other writers repeat their work."""

CONNECT_WAIT_S = 10
"""How long to wait for PostgreSQL to accept a connection. Lowered, a busy server looks gone."""

WRITE_AHEAD_LOG_BYTES = 64 * 2**20
"""What the log file of SQLite shrinks to after a large load. Lowered, it is cut and grown again
more often."""

CHECKPOINT_PAGES = 4_000
"""Pages of 4 KiB after which the log is written back, 16 MB: a few batches of a worker. Raised, more to read
after a crash; lowered, pages that change with every batch are written back with every batch."""

PAGE_CACHE_BYTES = 32 * 2**20
"""Pages that a connection keeps at most. Keys that are hashes lie scattered over their index: lowered to
SQLite's 2 MB, each costs a read."""

VERSION_TABLE = "rehear_schema_version"
"""Has a name of its own, so that another program's migrations can share a PostgreSQL database."""

_MIGRATION_LOCK = 0x72656865  # any number that nobody else uses as an advisory lock

_RETRIABLE_SQLITE_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_CANTOPEN,  # the file or its folder is away
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_PROTOCOL,  # too many others opened it in the same moment
    }
)
_RETRIABLE_SQLSTATES = ("08", "40", "53", "55P03", "57P01", "57P02", "57P03", "58")
"""Connection lost, deadlock or serialisation, server out of something, lock not free, server stopping or
starting, its disk."""

_HOPELESS_CONNECTION = ("authentication failed", "does not exist", "no pg_hba.conf entry", "no password")


def open_database(location: str | Path, lock_wait_s: float | None = None) -> Engine:
    """Opens a database, makes it if need be, and brings its tables up to date.

    Several processes may open one at the same time: one of them changes the tables, the others wait.

    Args:
        location: path of a SQLite file, `sqlite:///path` or `postgresql://user:password@host/name`.
        lock_wait_s: how long a statement waits for others that hold what it needs; None: `LOCK_WAIT_S` on
            SQLite, and without end on PostgreSQL.

    Raises:
        DatabaseError: no such kind of database, or the file is no database.
        SchemaVersionError: a newer version of Rehear has written it.
        sqlalchemy.exc.DBAPIError, sqlite3.Error: it cannot be reached, or is locked; see `is_retriable`.
    """
    url = _url(location)
    if url.drivername == "sqlite":
        engine = _sqlite_engine(Path(url.database or ""), LOCK_WAIT_S if lock_wait_s is None else lock_wait_s)
    else:
        engine = _postgres_engine(url, lock_wait_s)
    try:
        _migrate(engine)
    except BaseException as error:
        engine.dispose()
        if getattr(_driver_error(error), "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise DatabaseError(f"{url.database} is no SQLite database: give another file") from error
        raise
    return engine


def is_retriable(error: BaseException) -> bool:
    """Whether what failed with this error can succeed later, unchanged.

    True where the database is locked, away, full, restarting, or gave up one of several transactions that
    were in each other's way.
    """
    if isinstance(error, PoolTimeoutError):
        return True
    cause = _driver_error(error)
    if isinstance(cause, sqlite3.Error):
        code: int | None = getattr(cause, "sqlite_errorcode", None)
        return code is not None and code & 0xFF in _RETRIABLE_SQLITE_CODES
    if not isinstance(error, DBAPIError):
        return False
    sqlstate: str | None = getattr(cause, "sqlstate", None)
    if sqlstate is not None:
        return sqlstate.startswith(_RETRIABLE_SQLSTATES)
    if error.connection_invalidated:
        return True
    # libpq gives no code for a connection that was not made
    return type(cause).__name__ == "OperationalError" and not any(
        hopeless in str(cause) for hopeless in _HOPELESS_CONNECTION
    )


def _driver_error(error: BaseException) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


def _url(location: str | Path) -> URL:
    if isinstance(location, Path) or "://" not in location:
        if str(location) in ("", ":memory:"):
            raise DatabaseError(f"a database needs a file, and {str(location)!r} names none: give its path")
        return URL.create("sqlite", database=str(location))
    try:
        url = make_url(location)
    except ArgumentError as error:
        raise DatabaseError("the database URL cannot be read: give a path or postgresql://...") from error
    if url.drivername == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise DatabaseError("the database URL names no file: give sqlite:///path")
        return url
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    raise DatabaseError(
        f"no database of kind {url.drivername!r} is known: give the path of a SQLite file or postgresql://..."
    )


def _postgres_engine(url: URL, lock_wait_s: float | None) -> Engine:
    arguments: dict[str, object] = {"connect_timeout": CONNECT_WAIT_S, "client_encoding": "utf8"}
    if lock_wait_s is not None:
        arguments["options"] = f"-c lock_timeout={max(round(lock_wait_s * 1000), 1)}"
    try:
        return create_engine(
            url,
            pool_pre_ping=True,  # a connection that the server has dropped is replaced before it is used
            connect_args=arguments,
        )
    except ModuleNotFoundError as error:
        raise DatabaseError("PostgreSQL needs the psycopg package: pip install 'rehear[postgres]'") from error


def _sqlite_engine(path: Path, lock_wait_s: float) -> Engine:
    path = path.absolute()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # an empty file is an empty database; from here on a missing file is an error, not a new one
    engine = create_engine(
        URL.create("sqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": lock_wait_s, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA journal_size_limit = {WRITE_AHEAD_LOG_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{PAGE_CACHE_BYTES // 1024}")
        connection.execute("PRAGMA secure_delete = ON")  # what a user wants forgotten leaves the file, too
        record.info["file"] = _identity(path)

    @event.listens_for(engine, "checkout")
    def _check(connection: sqlite3.Connection, record: Any, proxy: Any) -> None:
        # A file that was moved away or replaced would still take writes, which nobody would ever see.
        if record.info["file"] != _identity(path):
            raise DisconnectionError(f"{path} is not the file that was opened")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads_only = connection.get_execution_options().get(READS_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "services:migrations")
    return config


@functools.cache
def _scripts() -> ScriptDirectory:
    """The migrations, read once: a process may open many databases."""
    return ScriptDirectory.from_config(_config())


def _migrate(engine: Engine) -> None:
    scripts = _scripts()
    newest = scripts.get_current_head()
    if engine.dialect.name == "sqlite":
        _use_write_ahead_log(engine)
    with reading(engine) as connection:
        if _schema_version(connection, scripts) == newest:
            return
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})
        found = _schema_version(connection, scripts)
        if found != newest:
            config = _config()
            config.attributes["connection"] = connection
            config.attributes["version_table"] = VERSION_TABLE
            command.upgrade(config, "head")
            log.info("database tables brought up to date", found=found, now=newest)


def _schema_version(connection: Connection, scripts: ScriptDirectory) -> str | None:
    found = MigrationContext.configure(
        connection, opts={"version_table": VERSION_TABLE}
    ).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if found is not None and found not in known:
        raise SchemaVersionError(
            f"the database has schema {found}, and this version of Rehear knows schemas up to "
            f"{scripts.get_current_head()}: "
            "upgrade Rehear (pip install --upgrade rehear) or name another database"
        )
    return found


def _use_write_ahead_log(engine: Engine) -> None:
    """Sets the mode, which then stays with the file; SQLite does not wait by itself for others who do so."""
    deadline_s = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            connection = engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > deadline_s:
                raise
            time.sleep(0.02)
