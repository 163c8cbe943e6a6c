"""Where a rewrite holds: in one locale or any, for one kind of turn or any."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Gives rewrites a locale and a kind of turn; those that there are hold in all and for all."""
    op.add_column("rewrites", sa.Column("locale", sa.Text, nullable=False, server_default=""))
    op.add_column("rewrites", sa.Column("turn_kind", sa.Text, nullable=False, server_default="any"))
    placed = sa.text("(locale <> '' OR turn_kind <> 'any')")
    op.create_index(
        "ix_rewrites_placed",
        "rewrites",
        ["assistant_id", "locale", "turn_kind"],
        sqlite_where=placed,
        postgresql_where=placed,
    )
