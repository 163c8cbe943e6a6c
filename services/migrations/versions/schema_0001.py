"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates all tables, package by package."""
    _create_streams()
    _create_rewriting()
    _create_chains()
    _create_requests()
    _create_request_index()
    _create_rephrases()
    _create_services()


def _create_streams() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("task", sa.String(100), nullable=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("partition_number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sa.Column("latest_event_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("task", "topic", "partition_number", name="pk_checkpoint"),
    )
    op.create_table(
        "session",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("source_partition", sa.Integer, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("turns", sa.LargeBinary, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("emitted", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_session"),
    )
    op.create_index("ix_session_user_key_end_ms", "session", ["user_key", "end_ms"])
    waiting = sa.column("emitted") == sa.false()
    op.create_index(
        "ix_session_waiting",
        "session",
        ["source_partition", "end_ms"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "seen_event",
        sa.Column("event_key", sa.BigInteger, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("event_key", name="pk_seen_event"),
    )


def _create_chains() -> None:
    op.create_table(
        "chain_session",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_chain_session"),
    )
    op.create_index("ix_chain_session_assistant_id", "chain_session", ["assistant_id"])
    op.create_index("ix_chain_session_user_key", "chain_session", ["user_key"])
    op.create_table(
        "chain_epoch",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("solved_epoch", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_chain_epoch"),
    )


def _create_requests() -> None:
    op.create_table(
        "request_session",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("start_ms", sa.BigInteger, nullable=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("steps", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_request_session"),
    )
    op.create_index("ix_request_session_user_key_end_ms", "request_session", ["user_key", "end_ms"])
    op.create_index(
        "ix_request_session_assistant_id_start_ms", "request_session", ["assistant_id", "start_ms"]
    )
    op.create_table(
        "request_epoch",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("written_epoch", sa.Integer, nullable=False),
        sa.Column("min_users", sa.Integer, nullable=False),
        sa.Column("clean_version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_request_epoch"),
    )
    op.create_table(
        "request_statistics",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("kind", sa.SmallInteger, nullable=False, autoincrement=False),
        sa.Column("key", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "kind", "key", name="pk_request_statistics"),
    )
    op.create_table(
        "online_model",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "kind", name="pk_online_model"),
    )


def _create_request_index() -> None:
    op.create_table(
        "indexed_request",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("request_id", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("interpretation", sa.Text, nullable=False),
        sa.Column("vector", sa.LargeBinary),
        sa.Column("encoder_id", sa.Text),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "request_id", name="pk_indexed_request"),
    )
    op.create_index("ix_indexed_request_changes", "indexed_request", ["assistant_id", "version"])
    op.create_index("ix_indexed_request_waiting", "indexed_request", ["assistant_id", "encoder_id"])
    op.create_table(
        "request_index_state",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("base_version", sa.Integer, nullable=False),
        sa.Column("base_name", sa.Text),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_request_index_state"),
    )


def _create_rephrases() -> None:
    op.create_table(
        "rephrase_session",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("turns_key", sa.BigInteger, nullable=False),
        sa.Column("links", sa.LargeBinary, nullable=False),
        sa.Column("source_partition", sa.Integer, nullable=False),
        sa.Column("announced", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_rephrase_session"),
    )
    op.create_index("ix_rephrase_session_assistant_id", "rephrase_session", ["assistant_id"])
    op.create_index("ix_rephrase_session_user_key", "rephrase_session", ["user_key"])
    waiting = sa.column("announced") == sa.false()
    op.create_index(
        "ix_rephrase_session_waiting",
        "rephrase_session",
        ["source_partition"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "rephrase_pair",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("source_position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("target_position", sa.Integer, nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("rewrite_id", sa.String(24), nullable=False),
        sa.Column("pair", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("session_id", "source_position", name="pk_rephrase_pair"),
    )
    op.create_index("ix_rephrase_pair_user_key", "rephrase_pair", ["user_key"])
    op.create_index(
        "ix_rephrase_pair_assistant_id_rewrite_id", "rephrase_pair", ["assistant_id", "rewrite_id"]
    )
    op.create_table(
        "stale_candidate",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.String(24), nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", name="pk_stale_candidate"),
    )


def _create_rewriting() -> None:
    op.create_table(
        "rewrites",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("until_version", sa.Integer),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("source_text", sa.Text, nullable=False),
        sa.Column("source_interpretation", sa.Text),
        sa.Column("target_text", sa.Text, nullable=False),
        sa.Column("target_interpretation", sa.Text),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("max_confidence", sa.Double),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("users", sa.Integer, nullable=False),
        sa.Column("source_success_rate", sa.Double, nullable=False),
        sa.Column("source_count", sa.Integer, nullable=False),
        sa.Column("target_success_rate", sa.Double, nullable=False),
        sa.Column("target_count", sa.Integer, nullable=False),
        sa.Column("failure_point", sa.Text),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("wished_status", sa.Text, nullable=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("question", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", "version", name="pk_rewrites"),
    )
    stands = sa.text("until_version IS NULL")
    op.create_index(
        "ix_rewrites_standing",
        "rewrites",
        ["assistant_id", "rewrite_id"],
        unique=True,
        sqlite_where=stands,
        postgresql_where=stands,
    )
    op.create_index("ix_rewrites_changes", "rewrites", ["assistant_id", "version"])
    personal = sa.text("scope <> 'global'")
    op.create_index(
        "ix_rewrites_personal",
        "rewrites",
        ["assistant_id", "scope"],
        sqlite_where=personal,
        postgresql_where=personal,
    )
    op.create_table(
        "rewrite_tables",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_rewrite_tables"),
    )
    op.create_table(
        "rewrite_table_versions",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("changed_ms", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("changes", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "version", name="pk_rewrite_table_versions"),
    )
    op.create_table(
        "rewrite_blocks",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("target_digest", sa.Text, nullable=False),
        sa.Column("target_text", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("blocked_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", "target_digest", name="pk_rewrite_blocks"),
    )
    op.create_table(
        "rewrite_holds",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("wish", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", name="pk_rewrite_holds"),
    )
    op.create_table(
        "forgotten_rewrites",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", name="pk_forgotten_rewrites"),
    )
    op.create_table(
        "publication_marks",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("published_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "assistant_id", name="pk_publication_marks"),
    )


def _create_services() -> None:
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.Text, nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text),
        sa.Column("rewrite_id", sa.Text),
        sa.Column("feedback", sa.Text, nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("received_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("feedback_id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_assistant_id", "feedback", ["assistant_id"])
