"""Sessions that are to be announced again."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table of the notices."""
    op.create_table(
        "session_notice",
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("source_partition", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name="pk_session_notice"),
    )
    op.create_index("ix_session_notice_user_key", "session_notice", ["user_key"])
    op.create_index("ix_session_notice_source_partition", "session_notice", ["source_partition"])
