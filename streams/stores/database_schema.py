"""The one database: what every package's tables share, and how they read and write.

Tables of all packages are declared on `METADATA`. Every statement runs in one of two kinds of transaction:

- `with engine.begin() as connection:` writes. On SQLite it takes the write lock at once, so it can wait for
  another writer, but never find at its first write that it cannot have the lock any more.
- `with reading(engine) as connection:` reads one consistent state, and never waits for a writer.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Engine,
    MetaData,
    Table,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

READS_ONLY = "rehear_reads_only"
"""Execution option of a connection whose transactions only read."""

KEYS_PER_STATEMENT = 2_000
"""Keys in one IN list. Raised, statements near the 32,766 variables that SQLite allows; lowered, more round
trips."""

_Item = TypeVar("_Item")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection on which all statements see one state of the database; nothing can be written on it."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        else:
            options = {READS_ONLY: True}
        yield connection.execution_options(**options)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, object]],
    update: Collection[str] | None = None,
) -> None:
    """Inserts rows; where the primary key exists, sets columns of the row that is there.

    Args:
        connection: in a transaction that writes.
        table: with a primary key.
        rows: all with the same columns, the key among them; no key twice.
        update: the columns to set; by default all that are given and not in the key; with none, rows that
            are there stay as they are.
    """
    if not rows:
        return
    key = [column.name for column in table.primary_key]
    names = [name for name in rows[0] if name not in key] if update is None else list(update)
    insert = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    if names:
        values = {name: insert.excluded[name] for name in names}
        statement = insert.on_conflict_do_update(index_elements=key, set_=values)
    else:
        statement = insert.on_conflict_do_nothing(index_elements=key)
    # No column of ours is stored as anything but what is given, so the rows go to the driver as they are:
    # that is twice as fast.
    compiled = statement.compile(dialect=connection.dialect, column_keys=list(rows[0]))
    order = compiled.positiontup
    if order is None:
        connection.exec_driver_sql(str(compiled), [dict(row) for row in rows])
    else:
        connection.exec_driver_sql(str(compiled), [tuple([row[name] for name in order]) for row in rows])


def is_among(connection: Connection, column: Column[Any], keys: Collection[object]) -> ColumnElement[bool]:
    """The condition that a column has one of the keys, numbers or texts; as many as there may be.

    They go to the database as one value, where an IN list costs a variable for each.
    """
    if connection.dialect.name == "postgresql":
        return column == any_(bindparam(None, list(keys), type_=postgresql.ARRAY(column.type)))
    listed = func.json_each(msgspec.json.encode(list(keys)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))


def chunks(items: Collection[_Item], size: int = KEYS_PER_STATEMENT) -> Iterator[list[_Item]]:
    """The items in lists of at most `size`, in their order."""
    remaining = iter(items)
    while chunk := list(islice(remaining, size)):
        yield chunk
