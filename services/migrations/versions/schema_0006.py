"""What the ranker has said of the rows of the rewrite table."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of the row verdicts."""
    op.create_table(
        "row_verdicts",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("ranker", sa.Text, nullable=False),
        sa.Column("target_digest", sa.String(16), nullable=False),
        sa.Column("accepted", sa.Integer, nullable=False),
        sa.Column("rejected", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", "user_key", name="pk_row_verdicts"),
    )
    op.create_index("ix_row_verdicts_revision", "row_verdicts", ["assistant_id", "revision"])
    op.create_index("ix_row_verdicts_user_key", "row_verdicts", ["user_key"])
    op.create_table(
        "row_verdict_revisions",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("whole_revision", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", name="pk_row_verdict_revisions"),
    )
