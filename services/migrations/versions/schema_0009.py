"""What guards refuse, and what operators allow; chains are made anew."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables, and tells who holds a chain to rebuild it."""
    op.create_table(
        "refused_rewrites",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("target_digest", sa.Text, nullable=False),
        sa.Column("source_text", sa.Text, nullable=False),
        sa.Column("target_text", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("reasons", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", "target_digest", name="pk_refused_rewrites"),
    )
    op.create_table(
        "allowed_rewrites",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("target_digest", sa.Text, nullable=False),
        sa.Column("allowed_ms", sa.BigInteger, nullable=False),
        sa.Column("source_text", sa.Text, nullable=False),
        sa.Column("target_text", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("ended_ms", sa.BigInteger),
        sa.Column("end_reason", sa.Text),
        sa.Column("end_actor", sa.Text),
        sa.PrimaryKeyConstraint(
            "assistant_id", "rewrite_id", "target_digest", "allowed_ms", name="pk_allowed_rewrites"
        ),
    )
    op.execute("UPDATE chain_epoch SET epoch = epoch + 1")
