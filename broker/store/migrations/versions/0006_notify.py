"""Notification channels and deliveries; when a request was first seen."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("intents", sa.Column("seen_at", sa.BigInteger))
    op.add_column("intents", sa.Column("unseen_at", sa.BigInteger))
    op.create_table(
        "channels",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("trader", sa.String, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("address", sa.String, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("topics", sa.JSON, nullable=False),
        sa.Column("min_value_micros", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("paused_at", sa.BigInteger),
        sa.Column("proven_at", sa.BigInteger),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", sa.BigInteger),
        sa.Column("open_until", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("alerted", sa.Boolean, nullable=False, server_default="0"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("channel", sa.String(26), sa.ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
        sa.Column("event", sa.BigInteger, nullable=False),
        sa.Column("matter", sa.String, nullable=False),
        sa.Column("intent_id", sa.String(26)),
        sa.Column("digest", sa.String(64)),
        sa.Column("progress", sa.String, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("handle", sa.String),
    )
    op.create_index("told_once", "deliveries", ["channel", "matter"], unique=True)
    op.create_index(
        "deliveries_open",
        "deliveries",
        ["channel", "due_at"],
        sqlite_where=sa.text("progress IN ('queued', 'sent')"),
        postgresql_where=sa.text("progress IN ('queued', 'sent')"),
    )
    op.create_index("deliveries_by_intent", "deliveries", ["intent_id"])
