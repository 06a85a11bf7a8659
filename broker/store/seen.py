"""Records whether a pending request was seen by a trader."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from ..clock import to_ms
from ..events import EventKind
from ..intents import State
from .audit import AuditLog
from .tables import intents

WAITS_UNSEEN: Final = (intents.c.state == State.PENDING, intents.c.seen_at.is_(None))

# Built once: building a statement takes longer than running it.
OVERLOOKED: Final = (
    select(intents.c.id)
    .where(
        *WAITS_UNSEEN,
        intents.c.unseen_at.is_(None),
        intents.c.expires_at > bindparam("now"),
        intents.c.expires_at - intents.c.ttl_seconds * 500 <= bindparam("now"),  # half of its lifetime, in ms
    )
    .order_by(intents.c.id)
)


class Sightings:
    """All methods run in the caller's transaction."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def unseen(self, connection: Connection, intent_ids: Collection[str]) -> Sequence[str]:
        """Those of these ids that are pending and were never seen."""
        query = select(intents.c.id).where(intents.c.id.in_(list(intent_ids)), *WAITS_UNSEEN)
        return connection.execute(query).scalars().all()

    def mark(self, connection: Connection, intent_ids: Collection[str], now: datetime) -> None:
        """Mark as seen: a page showed them, or someone opened a link to them."""
        these = update(intents).where(intents.c.id.in_(list(intent_ids)), *WAITS_UNSEEN)
        connection.execute(these.values(seen_at=to_ms(now)))

    def overlooked(self, connection: Connection, now: datetime) -> Sequence[str]:
        """Ids of pending requests that nobody saw in half of their lifetime, not escalated yet."""
        return connection.execute(OVERLOOKED, {"now": to_ms(now)}).scalars().all()

    def escalate(self, connection: Connection, now: datetime) -> None:
        """Record an event for each overlooked request, which notifies the traders again."""
        for intent_id in self.overlooked(connection, now):
            this = update(intents).where(intents.c.id == intent_id)
            connection.execute(this.values(unseen_at=to_ms(now)))
            self._log.append(
                connection, at=now, kind=EventKind.REQUEST_UNSEEN, actor="broker", intent_id=intent_id
            )
