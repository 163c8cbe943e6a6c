"""Limits of rewrites by what is known of a request: for the recogniser's or the NLU's confidence alone."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gives rewrites two more limits, which are the one that they have until they are learned anew."""
    op.add_column("rewrites", sa.Column("max_asr_confidence", sa.Double))
    op.add_column("rewrites", sa.Column("max_nlu_confidence", sa.Double))
    op.execute("UPDATE chain_epoch SET epoch = epoch + 1")
