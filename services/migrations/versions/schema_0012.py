"""How rows fare that the guards of meaning let through, and since when pairs are refused."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, which the next solution of a chain fills, and a column, null where it is not known."""
    op.create_table(
        "judged_rewrites",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("rewrite_id", sa.Text, nullable=False),
        sa.Column("target_digest", sa.Text, nullable=False),
        sa.Column("source_text", sa.Text, nullable=False),
        sa.Column("target_text", sa.Text, nullable=False),
        sa.Column("locale", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("since_ms", sa.BigInteger, nullable=False),
        sa.Column("said_success", sa.Integer, nullable=False),
        sa.Column("said_requests", sa.Integer, nullable=False),
        sa.Column("run_success", sa.Integer, nullable=False),
        sa.Column("run_requests", sa.Integer, nullable=False),
        sa.Column("judges", sa.Integer, nullable=False),
        sa.Column("makers", sa.Integer, nullable=False),
        sa.Column("p_better", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "rewrite_id", "target_digest", name="pk_judged_rewrites"),
    )
    op.add_column("refused_rewrites", sa.Column("since_ms", sa.BigInteger))
