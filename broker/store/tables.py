"""The tables. Times are UTC milliseconds. Amounts are text; values that are summed are micro-USDT."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", Text, nullable=False),
)

intents = Table(
    "intents",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("agent", String, nullable=False),
    Column("tool", String, nullable=False),
    Column("state", String, nullable=False),
    Column("market", String, nullable=False),
    Column("asked", JSON, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("canonical", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("equality", String(64), nullable=False),
    Column("summary", Text, nullable=False),
    Column("card", JSON, nullable=False),
    Column("reason", Text),
    Column("idempotency_key", String),
    Column("ttl_seconds", Integer, nullable=False, server_default="300"),
    Column("is_exit", Boolean, nullable=False),
    Column("value_micros", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("decided_by", String),
    Column("decided_at", BigInteger),
    Column("approved", Boolean),
    Column("decision_reason", Text),
    Column("suggested_amount", String),
    Column("suggested_price", String),
    Column("client_order_id", String(36)),
    Column("namespace", String),
    Column("wire_timestamp_ms", BigInteger),
    Column("not_founds", Integer, nullable=False, server_default="0"),
    Column("reason_code", String(40)),
    Column("note", Text),
    Column("order", JSON),
    Column("followed", Boolean, nullable=False, server_default=false()),
    Column("word_by", String),
    Column("word_holds", Boolean),
    Column("diverged", Text),
    Column("seen_at", BigInteger),
    Column("unseen_at", BigInteger),
    # Idempotency: the store checks first, in the same transaction. These indexes are the last guard.
    Index("one_intent_per_key", "agent", "tool", "idempotency_key", unique=True),
    Index(
        "one_pending_per_keyless_request",
        "agent",
        "equality",
        unique=True,
        sqlite_where=text("state = 'pending' AND idempotency_key IS NULL"),
        postgresql_where=text("state = 'pending' AND idempotency_key IS NULL"),
    ),
    Index("by_state", "state", "expires_at"),
    Index("by_agent", "agent", "id"),
    Index("by_equality", "agent", "equality"),
    Index("by_followed", "id", sqlite_where=text("followed = 1"), postgresql_where=text("followed")),
    Index("by_wire_timestamp", "wire_timestamp_ms"),
    Index("by_update", "updated_at"),
    Index(
        "by_word",
        "word_by",
        sqlite_where=text("word_by IS NOT NULL"),
        postgresql_where=text("word_by IS NOT NULL"),
    ),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("intent_id", String(26)),
    Column("data", Text, nullable=False),
    Column("mac", String(64), nullable=False),
    Index("audit_by_intent", "intent_id"),
    Index("audit_by_kind", "kind", "seq"),
)

agents = Table(
    "agents",
    metadata,
    Column("name", String, primary_key=True),
    Column("rights", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("given_key_hash", String(64)),
)

agent_keys = Table(
    "agent_keys",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("agent", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger),
    Index("agent_keys_by_agent", "agent"),
)

traders = Table(
    "traders",
    metadata,
    Column("name", String, primary_key=True),
    Column("password_hash", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("trader", String, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("user_agent", String, nullable=False),
    Index("sessions_by_trader", "trader"),
)

invitations = Table(
    "invitations",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("created_at", BigInteger, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("trader", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("address", String, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("topics", JSON, nullable=False),
    Column("min_value_micros", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("paused_at", BigInteger),
    Column("proven_at", BigInteger),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failing_since", BigInteger),
    Column("open_until", BigInteger, nullable=False, server_default="0"),
    Column("alerted", Boolean, nullable=False, server_default="0"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("channel", String(26), ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    Column("event", BigInteger, nullable=False),
    Column("matter", String, nullable=False),
    Column("intent_id", String(26)),
    Column("digest", String(64)),
    Column("progress", String, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("note", Text),
    Column("handle", String),
    Index("told_once", "channel", "matter", unique=True),
    Index(
        "deliveries_open",
        "channel",
        "due_at",
        sqlite_where=text("progress IN ('queued', 'sent')"),
        postgresql_where=text("progress IN ('queued', 'sent')"),
    ),
    Index("deliveries_by_intent", "intent_id"),
)
