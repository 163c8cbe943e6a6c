"""Labels of turns."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of the labels."""
    op.create_table(
        "labels",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("user_key", sa.BigInteger, nullable=False),
        sa.Column("session_id", sa.String(24), nullable=False),
        sa.Column("ts_ms", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("goal_id", sa.Text, nullable=False),
        sa.Column("goal_start", sa.Boolean, nullable=False),
        sa.Column("goal_success", sa.Double),
        sa.Column("defect", sa.Double),
        sa.Column("satisfaction", sa.SmallInteger),
        sa.Column("dissatisfaction", sa.Double),
        sa.Column("dialogue_satisfaction", sa.SmallInteger),
        sa.Column("dialogue_dissatisfaction", sa.Double),
        sa.Column("domain", sa.Text),
        sa.Column("intent", sa.Text),
        sa.Column("slots", sa.Text),
        sa.Column("confidence", sa.Text, nullable=False),
        sa.Column("abstained", sa.Text, nullable=False),
        sa.Column("labelled_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "event_id", name="pk_labels"),
    )
    op.create_index("ix_labels_user_key", "labels", ["user_key"])
    op.create_index("ix_labels_session_id", "labels", ["session_id"])
    op.create_table(
        "label_change",
        sa.Column("assistant_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("stamp", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("assistant_id", "event_id", name="pk_label_change"),
    )
    op.create_index("ix_label_change_stamp", "label_change", ["stamp"])
