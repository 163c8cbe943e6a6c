"""Databases as earlier versions have left them."""

from sqlalchemy import Connection, text

from services.platform.database import VERSION_TABLE


def without_places_of_rewrites(connection: Connection) -> None:
    """Makes a database of today one of schema 7: rewrites hold in every locale, for every kind of turn."""
    for statement in (
        "DROP INDEX ix_rewrites_placed",
        "ALTER TABLE rewrites DROP COLUMN locale",
        "ALTER TABLE rewrites DROP COLUMN turn_kind",
    ):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0007'"))  # noqa: S608 (a constant)


def without_tasks_of_notices(connection: Connection) -> None:
    """Makes a database of today one of schema 6: the tables of notices and of rephrases are those of then."""
    without_places_of_rewrites(connection)
    for statement in (
        "DROP TABLE session_notice",
        "CREATE TABLE session_notice (session_id VARCHAR(24) NOT NULL, assistant_id TEXT NOT NULL, "
        "user_key BIGINT NOT NULL, source_partition INTEGER NOT NULL, "
        "CONSTRAINT pk_session_notice PRIMARY KEY (session_id))",
        "CREATE INDEX ix_session_notice_user_key ON session_notice (user_key)",
        "CREATE INDEX ix_session_notice_source_partition ON session_notice (source_partition)",
        "ALTER TABLE rephrase_session ADD COLUMN source_partition INTEGER NOT NULL DEFAULT -1",
        "ALTER TABLE rephrase_session ADD COLUMN announced BOOLEAN NOT NULL DEFAULT true",
        "CREATE INDEX ix_rephrase_session_waiting ON rephrase_session (source_partition) WHERE NOT announced",
    ):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0006'"))  # noqa: S608 (a constant)
