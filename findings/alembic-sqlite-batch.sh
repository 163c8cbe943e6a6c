#!/usr/bin/env bash
# alembic 1.20.1 with SQLite: one batch migration drops triggers, collations and conflict rules.
#
# Packages: alembic 1.20.1, SQLAlchemy 2.1.9; SQLite is the one of the Python that runs this.
# Expected: `batch_alter_table` is Alembic's way to change a column on SQLite. Its documentation says that the table
#   is reflected, created anew with the change, filled and renamed, and warns that unnamed CHECK constraints are
#   left out. So one expects the rest of the table back as it was.
# Happens: making one column NOT NULL also removes, without a warning,
#   - the trigger of the table,
#   - COLLATE NOCASE, both of the column (so of its primary key) and of an index,
#   - ON CONFLICT IGNORE of the primary key,
#   - DESC of an index.
#   Partial index conditions, STRICT and WITHOUT ROWID are kept. A migration that only adds a column does not
#   rebuild the table, so such migrations give no hint of this.
# Why it matters: a table of sessions keyed by a case-insensitive name accepts 'Kitchen' beside 'kitchen' after the
#   migration, a consumer that relied on IGNORE for redelivered records fails with IntegrityError, and the
#   audit trigger is gone. Name the options again in the migration (`table_args`, `reflect_args`), recreate the
#   triggers, and compare sqlite_schema before and after.
#
# Output seen:
#   before
#     CREATE TRIGGER: 1
#     COLLATE NOCASE: 2
#     ON CONFLICT IGNORE: 1
#     DESC: 1
#     WHERE text: 1
#     STRICT: 1
#     WITHOUT ROWID: 1
#     kitchen inserted: 1 added
#     Kitchen inserted: 0 added
#     kitchen inserted: 0 added
#     rows that the trigger wrote: 1
#   after
#     CREATE TRIGGER: 0
#     COLLATE NOCASE: 0
#     ON CONFLICT IGNORE: 0
#     DESC: 0
#     WHERE text: 1
#     STRICT: 1
#     WITHOUT ROWID: 1
#     kitchen inserted: 1 added
#     Kitchen inserted: 1 added
#     kitchen inserted: IntegrityError
#     rows that the trigger wrote: 0
#   warnings: 0
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  alembic==1.20.1 SQLAlchemy==2.1.9
cd "$work"

cat >see.py <<'PY'
import warnings

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

SCHEMA = (
    """CREATE TABLE session (
         device TEXT NOT NULL COLLATE NOCASE,
         at_ms INTEGER NOT NULL,
         text TEXT,
         PRIMARY KEY (device, at_ms) ON CONFLICT IGNORE
       ) STRICT, WITHOUT ROWID""",
    "CREATE TABLE audit (text TEXT)",
    "CREATE INDEX by_time ON session (at_ms DESC)",
    "CREATE INDEX by_text ON session (text COLLATE NOCASE)",
    "CREATE INDEX spoken ON session (at_ms) WHERE text <> ''",
    "CREATE TRIGGER heard AFTER INSERT ON session BEGIN INSERT INTO audit VALUES (new.text); END",
)


def attempt(connection, device):
    try:
        done = connection.exec_driver_sql("INSERT INTO session VALUES (?, 1, 'stop')", (device,))
        return f"{done.rowcount} added"
    except sa.exc.IntegrityError as error:
        return f"{type(error).__name__}"


def show(title, connection):
    words = " ".join(
        " ".join(sql.split()) for (sql,) in connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql > ''")
    )
    print(title)
    for part in ("CREATE TRIGGER", "COLLATE NOCASE", "ON CONFLICT IGNORE", "DESC", "WHERE text", "STRICT", "WITHOUT ROWID"):
        print(f"  {part}: {words.count(part)}")
    connection.exec_driver_sql("DELETE FROM session")
    connection.exec_driver_sql("DELETE FROM audit")
    for device in ("kitchen", "Kitchen", "kitchen"):
        print(f"  {device} inserted: {attempt(connection, device)}")
    print("  rows that the trigger wrote:", connection.exec_driver_sql("SELECT count(*) FROM audit").scalar())


engine = sa.create_engine("sqlite://")
with warnings.catch_warnings(record=True) as caught, engine.begin() as connection:
    warnings.simplefilter("always")
    for statement in SCHEMA:
        connection.exec_driver_sql(statement)
    show("before", connection)
    operations = Operations(MigrationContext.configure(connection))
    with operations.batch_alter_table("session") as batch:
        batch.alter_column("text", nullable=False)
    show("after", connection)
print("warnings:", len(caught))
PY

cat >expected <<'TXT'
before
  CREATE TRIGGER: 1
  COLLATE NOCASE: 2
  ON CONFLICT IGNORE: 1
  DESC: 1
  WHERE text: 1
  STRICT: 1
  WITHOUT ROWID: 1
  kitchen inserted: 1 added
  Kitchen inserted: 0 added
  kitchen inserted: 0 added
  rows that the trigger wrote: 1
after
  CREATE TRIGGER: 0
  COLLATE NOCASE: 0
  ON CONFLICT IGNORE: 0
  DESC: 0
  WHERE text: 1
  STRICT: 1
  WITHOUT ROWID: 1
  kitchen inserted: 1 added
  Kitchen inserted: 1 added
  kitchen inserted: IntegrityError
  rows that the trigger wrote: 0
warnings: 0
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
