"""Which task announces a session again; rephrases note theirs as labels do."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gives the notices a task, and takes those of rephrases out of the column that they had."""
    op.execute("CREATE TEMPORARY TABLE noted_before AS SELECT * FROM session_notice")
    op.drop_table("session_notice")
    op.create_table(
        "session_notice",
        sa.Column("task", sa.String(20), nullable=False),
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("source_partition", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("task", "session_id", name="pk_session_notice"),
    )
    op.create_index("ix_session_notice_source_partition", "session_notice", ["source_partition"])
    op.create_index("ix_session_notice_user_key", "session_notice", ["user_key"])
    op.execute(
        "INSERT INTO session_notice (task, session_id, assistant_id, user_key, source_partition) "
        "SELECT 'labels', session_id, assistant_id, user_key, source_partition FROM noted_before"
    )
    op.execute(
        "INSERT INTO session_notice (task, session_id, assistant_id, user_key, source_partition) "
        "SELECT 'rephrases', session_id, assistant_id, user_key, source_partition FROM rephrase_session "
        "WHERE NOT announced"
    )
    op.execute("DROP TABLE noted_before")
    op.drop_index("ix_rephrase_session_waiting", "rephrase_session")
    op.drop_column("rephrase_session", "source_partition")
    op.drop_column("rephrase_session", "announced")
