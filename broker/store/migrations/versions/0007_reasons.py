"""Reason codes. Codes of older rows are derived from their notes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

CODES = """
UPDATE intents SET reason_code = CASE
    WHEN word_by IS NOT NULL AND state IN ('placed', 'refused', 'not_sent') THEN 'RECORDED_BY_TRADER'
    WHEN state = 'rejected' THEN 'REJECTED_BY_TRADER'
    WHEN state = 'expired' THEN 'NO_DECISION'
    WHEN state = 'withdrawn' AND note IS NULL THEN 'WITHDRAWN_BY_AGENT'
    WHEN state = 'withdrawn' THEN 'AGENT_REVOKED'
    WHEN state = 'refused' THEN 'BINANCE_REFUSED'
    WHEN state = 'unknown' AND wire_timestamp_ms IS NULL THEN 'BACKUP_RESTORED'
    WHEN state = 'unknown' THEN 'NO_ANSWER'
    WHEN note IS NULL THEN NULL
    WHEN state = 'placed' THEN 'PARTLY_DONE'
    WHEN state = 'pending' AND note LIKE 'Price moved%' THEN 'PRICE_MOVED'
    WHEN state = 'pending' AND note LIKE 'The order book%' THEN 'BOOK_TOO_THIN'
    WHEN state = 'pending' AND note LIKE 'Leverage is%' THEN 'LEVERAGE_CHANGED'
    WHEN state = 'pending' AND note LIKE 'What rests%' THEN 'ORDERS_CHANGED'
    WHEN state <> 'not_sent' THEN NULL
    WHEN note LIKE 'not certain whether it was carried out%' THEN 'UNCERTAIN'
    WHEN note LIKE 'too late to send%' THEN 'APPROVAL_TOO_OLD'
    WHEN note LIKE 'its agent was revoked%' THEN 'AGENT_REVOKED'
    WHEN note LIKE 'trading is halted%' OR note LIKE 'only exits are allowed%' THEN 'TRADING_HALTED'
    WHEN note LIKE '%an equal request waits already' THEN 'EQUAL_REQUEST_WAITS'
    WHEN note LIKE 'the audit log holds no approval%' THEN 'NOT_APPROVED'
    WHEN note LIKE 'Binance has no such order%' THEN 'NEVER_EXECUTED'
    WHEN wire_timestamp_ms IS NOT NULL THEN 'NOT_SENT'
    ELSE 'CHECK_FAILED'
END
"""


def upgrade() -> None:
    op.add_column("intents", sa.Column("reason_code", sa.String(40)))
    op.execute(CODES)
