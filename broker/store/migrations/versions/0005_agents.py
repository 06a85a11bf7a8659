"""Several agents with rights and keys of their own. Keys may overlap during a rotation."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.rename_table("agents", "agents_before")
    op.create_table(
        "agents",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("rights", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("given_key_hash", sa.String(64)),
    )
    op.create_table(
        "agent_keys",
        sa.Column("key_hash", sa.String(64), primary_key=True),
        sa.Column("agent", sa.String, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("ends_at", sa.BigInteger),
    )
    op.create_index("agent_keys_by_agent", "agent_keys", ["agent"])
    op.execute(
        "INSERT INTO agents (name, rights, created_at, given_key_hash) "
        "SELECT name, '{}', created_at, key_hash FROM agents_before"
    )
    op.execute(
        "INSERT INTO agent_keys (key_hash, agent, created_at) "
        "SELECT key_hash, name, created_at FROM agents_before"
    )
    op.drop_table("agents_before")
