"""Databases as earlier versions have left them."""

import msgspec
from sqlalchemy import Connection, text

from services.platform.database import VERSION_TABLE

_FIELDS_OF_STEP = 9  # from the text to what was said in response
_FIELDS_WITH_GUARDS = 13  # to whether the words are the assistant's own


def without_applied_feedback(connection: Connection) -> None:
    """Makes a database of today one of schema 12: nothing reads feedback."""
    for statement in (
        "DROP TABLE rated_turn",
        "DROP TABLE person_account",
        "DROP INDEX ix_feedback_assistant_id_event_id",
        "DROP INDEX ix_feedback_assistant_id_user_id",
        "DROP INDEX ix_feedback_assistant_id_applied_to",
        "DROP INDEX ix_feedback_new",
        "ALTER TABLE feedback DROP COLUMN outcome",
        "ALTER TABLE feedback DROP COLUMN applied_to",
    ):
        connection.execute(text(statement))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0012'"))  # noqa: S608 (a constant)


def without_judged_rewrites(connection: Connection) -> None:
    """Makes a database of today one of schema 11: it is not known how rows fare."""
    without_applied_feedback(connection)
    connection.execute(text("DROP TABLE judged_rewrites"))
    connection.execute(text("ALTER TABLE refused_rewrites DROP COLUMN since_ms"))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0011'"))  # noqa: S608 (a constant)


def without_serving_switches(connection: Connection) -> None:
    """Makes a database of today one of schema 10: serving cannot be switched off."""
    without_judged_rewrites(connection)
    connection.execute(text("DROP TABLE serving_switches"))
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0010'"))  # noqa: S608 (a constant)


def without_limits_by_parts(connection: Connection) -> None:
    """Makes a database of today one of schema 9: rows have one limit, and steps one band of confidence."""
    without_serving_switches(connection)
    for column in ("max_asr_confidence", "max_nlu_confidence"):
        connection.execute(text(f"ALTER TABLE rewrites DROP COLUMN {column}"))
    for key, steps in connection.execute(text("SELECT session_id, steps FROM chain_session")).all():
        stored = msgspec.msgpack.decode(steps)
        earlier = [*stored[:3], [step[:_FIELDS_WITH_GUARDS] for step in stored[3]], *stored[4:-1], 1]
        connection.execute(
            text("UPDATE chain_session SET steps = :steps WHERE session_id = :key"),
            {"key": key, "steps": msgspec.msgpack.encode(earlier)},
        )
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0009'"))  # noqa: S608 (a constant)


def without_guards(connection: Connection) -> None:
    """Makes a database of today one of schema 8: nothing is kept of guards, and steps have no form."""
    without_limits_by_parts(connection)
    for table in ("refused_rewrites", "allowed_rewrites"):
        connection.execute(text(f"DROP TABLE {table}"))
    for key, steps in connection.execute(text("SELECT session_id, steps FROM chain_session")).all():
        stored = msgspec.msgpack.decode(steps)
        earlier = [*stored[:3], [step[:_FIELDS_OF_STEP] for step in stored[3]], stored[4]]
        connection.execute(
            text("UPDATE chain_session SET steps = :steps WHERE session_id = :key"),
            {"key": key, "steps": msgspec.msgpack.encode(earlier)},
        )
    connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0008'"))  # noqa: S608 (a constant)


def without_places_of_rewrites(connection: Connection) -> None:
    """Makes a database of today one of schema 7: rewrites hold in every locale, for every kind of turn."""
    without_guards(connection)
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
