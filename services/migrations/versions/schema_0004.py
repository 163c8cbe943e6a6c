"""Failure points of turns."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of the failure points."""
    op.create_table(
        "failures",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("ts_ms", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("failure_point", sa.Text, nullable=False),
        sa.Column("probabilities", sa.Text, nullable=False),
        sa.Column("abstains", sa.Boolean, nullable=False),
        sa.Column("source_key", sa.BigInteger),
        sa.Column("source_text", sa.Text),
        sa.Column("question", sa.Text),
        sa.Column("isolated_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "event_id", name="pk_failures"),
    )
    op.create_index("ix_failures_user_key", "failures", ["user_key"])
    op.create_index("ix_failures_session_id", "failures", ["session_id"])
    counts = sa.text("source_key IS NOT NULL")
    op.create_index(
        "ix_failures_source_key", "failures", ["source_key"], sqlite_where=counts, postgresql_where=counts
    )
    op.create_table(
        "failure_change",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("stamp", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "event_id", name="pk_failure_change"),
    )
    op.create_index("ix_failure_change_stamp", "failure_change", ["stamp"])
