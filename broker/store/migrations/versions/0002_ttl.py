"""Store the lifetime of an intent: one that is shown again waits as long again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("intents", sa.Column("ttl_seconds", sa.Integer, nullable=False, server_default="300"))
    op.execute("UPDATE intents SET ttl_seconds = (expires_at - created_at) / 1000")
