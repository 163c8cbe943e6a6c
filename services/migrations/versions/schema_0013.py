"""Feedback is applied to turns."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds what becomes of feedback; that which is stored is new, so that it is settled."""
    op.add_column("feedback", sa.Column("outcome", sa.String(20), nullable=False, server_default="new"))
    op.add_column("feedback", sa.Column("applied_to", sa.Text))
    for column in ("event_id", "user_id", "applied_to"):
        op.create_index(f"ix_feedback_assistant_id_{column}", "feedback", ["assistant_id", column])
    is_new = sa.text("outcome = 'new'")
    op.create_index("ix_feedback_new", "feedback", ["outcome"], sqlite_where=is_new, postgresql_where=is_new)
    op.create_table(
        "rated_turn",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("own", sa.Text),
        sa.Column("stale", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "event_id", name="pk_rated_turn"),
    )
    op.create_index("ix_rated_turn_user_key", "rated_turn", ["user_key"])
    op.create_index("ix_rated_turn_stale", "rated_turn", ["stale"])
    op.create_table(
        "person_account",
        sa.Column("person_key", sa.BigInteger, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("person_key", "user_key", name="pk_person_account"),
    )
    op.create_index("ix_person_account_user_key", "person_account", ["user_key"])
