"""Whether anybody has seen a request that waits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from ..clock import to_ms
from ..notifications import UNSEEN
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
        intents.c.expires_at - intents.c.ttl_seconds * 500 <= bindparam("now"),  # half its life, in ms
    )
    .order_by(intents.c.id)
)


class Sightings:
    """Functions of a connection."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log

    def unseen(self, connection: Connection, intent_ids: Collection[str]) -> Sequence[str]:
        """Those that wait and that nobody saw before."""
        query = select(intents.c.id).where(intents.c.id.in_(list(intent_ids)), *WAITS_UNSEEN)
        return connection.execute(query).scalars().all()

    def mark(self, connection: Connection, intent_ids: Collection[str], now: datetime) -> None:
        """A page showed them, or a link that leads to them was opened."""
        these = update(intents).where(intents.c.id.in_(list(intent_ids)), *WAITS_UNSEEN)
        connection.execute(these.values(seen_at=to_ms(now)))

    def overlooked(self, connection: Connection, now: datetime) -> Sequence[str]:
        """What nobody has seen by half its life, and was not told anew for it yet."""
        return connection.execute(OVERLOOKED, {"now": to_ms(now)}).scalars().all()

    def escalate(self, connection: Connection, now: datetime) -> None:
        """Each of these is recorded, and so told once more."""
        for intent_id in self.overlooked(connection, now):
            this = update(intents).where(intents.c.id == intent_id)
            connection.execute(this.values(unseen_at=to_ms(now)))
            self._log.append(connection, at=now, kind=UNSEEN, actor="broker", intent_id=intent_id)
