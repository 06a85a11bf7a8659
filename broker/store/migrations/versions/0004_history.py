"""Indexes that keep frequent queries fast with a long history."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

FOLLOWED = """
UPDATE intents SET followed = 1 WHERE json_extract("order", '$.status') IN ('open', 'partly_filled')
OR (json_extract("order", '$.status') = 'filled' AND json_extract("order", '$.fee.cost') IS NULL)
"""


def upgrade() -> None:
    op.add_column("intents", sa.Column("followed", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(FOLLOWED)
    op.create_index(
        "by_followed",
        "intents",
        ["id"],
        sqlite_where=sa.text("followed = 1"),
        postgresql_where=sa.text("followed"),
    )
    op.drop_index("by_equality", "intents")
    op.create_index("by_equality", "intents", ["agent", "equality"])
