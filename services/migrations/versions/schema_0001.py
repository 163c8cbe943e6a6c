"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates all tables, package by package."""
    _create_rewriting()
    _create_services()


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
