"""Which blocks are a rollback's, and not asked for by somebody."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tells the blocks by their reasons, which a rollback begins in its own words."""
    op.add_column(
        "rewrite_blocks", sa.Column("by_rollback", sa.Boolean, nullable=False, server_default=sa.false())
    )
    blocks = sa.table("rewrite_blocks", sa.column("reason", sa.Text), sa.column("by_rollback", sa.Boolean))
    op.execute(
        blocks.update().where(blocks.c.reason.startswith("rolled back to version ")).values(by_rollback=True)
    )
