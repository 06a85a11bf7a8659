"""Manual resolutions, divergences, an index on the kind of audit rows, and triggers that protect them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("intents", sa.Column("word_by", sa.String))
    op.add_column("intents", sa.Column("word_holds", sa.Boolean))
    op.add_column("intents", sa.Column("diverged", sa.Text))
    op.create_index(
        "by_word",
        "intents",
        ["word_by"],
        sqlite_where=sa.text("word_by IS NOT NULL"),
        postgresql_where=sa.text("word_by IS NOT NULL"),
    )
    op.create_index("audit_by_kind", "audit", ["kind", "seq"])
    # INSERT OR REPLACE deletes the existing row without firing its DELETE trigger.
    op.execute(
        "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
        "WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
    )
