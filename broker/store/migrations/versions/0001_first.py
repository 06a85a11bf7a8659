"""The first schema, written out because tables.py keeps changing."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

PENDING_KEYLESS = "state = 'pending' AND idempotency_key IS NULL"


def upgrade() -> None:
    op.create_table(
        "meta",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    _intents()
    _audit()
    _people()


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.String(26), primary_key=True),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("tool", sa.String, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("market", sa.String, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("canonical", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("equality", sa.String(64), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("card", sa.JSON, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("idempotency_key", sa.String),
        sa.Column("is_exit", sa.Boolean, nullable=False),
        sa.Column("value_micros", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("decided_by", sa.String),
        sa.Column("decided_at", sa.BigInteger),
        sa.Column("approved", sa.Boolean),
        sa.Column("decision_reason", sa.Text),
        sa.Column("suggested_amount", sa.String),
        sa.Column("suggested_price", sa.String),
        sa.Column("client_order_id", sa.String(36)),
        sa.Column("namespace", sa.String),
        sa.Column("wire_timestamp_ms", sa.BigInteger),
        sa.Column("not_founds", sa.Integer, nullable=False, server_default="0"),
        sa.Column("note", sa.Text),
        sa.Column("order", sa.JSON),
    )
    op.create_index("one_intent_per_key", "intents", ["agent", "tool", "idempotency_key"], unique=True)
    op.create_index(
        "one_pending_per_keyless_request",
        "intents",
        ["agent", "equality"],
        unique=True,
        sqlite_where=sa.text(PENDING_KEYLESS),
        postgresql_where=sa.text(PENDING_KEYLESS),
    )
    op.create_index("by_state", "intents", ["state", "expires_at"])
    op.create_index("by_agent", "intents", ["agent", "id"])
    op.create_index("by_equality", "intents", ["equality"])
    op.create_index("by_wire_timestamp", "intents", ["wire_timestamp_ms"])
    op.create_index("by_update", "intents", ["updated_at"])


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("intent_id", sa.String(26)),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
    )
    op.create_index("audit_by_intent", "audit", ["intent_id"])
    for act in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit "
            "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        )


def _people() -> None:
    op.create_table(
        "agents",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "traders",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("password_hash", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(26), nullable=False, unique=True),
        sa.Column("trader", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("user_agent", sa.String, nullable=False),
    )
    op.create_index("sessions_by_trader", "sessions", ["trader"])
    op.create_table(
        "invitations",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
