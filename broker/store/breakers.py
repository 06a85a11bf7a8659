"""Circuit breakers of notification channels, and the alert when a channel keeps failing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from ..clock import Randomness
from ..events import Event, EventKind
from ..notifications import ALERT_AFTER, Attempt, Channel, Progress, breaker
from .audit import AuditLog, to_event
from .channels import all_channels, breaker_columns
from .tables import audit, channels, deliveries

# Built once: building a statement takes longer than running it.
PROBLEM: Final = (
    select(deliveries.c.note)
    .where(
        deliveries.c.channel == bindparam("channel"),
        deliveries.c.progress.in_([str(Progress.QUEUED), str(Progress.FAILED)]),
        deliveries.c.note.is_not(None),
    )
    .order_by(deliveries.c.updated_at.desc())
    .limit(1)
)
ALERT: Final = (
    select(audit)
    .where(audit.c.kind == EventKind.CHANNEL_FAILING, audit.c.data.contains(bindparam("channel_id")))
    .order_by(audit.c.seq.desc())
    .limit(1)
)


class Breakers:
    """All methods run in the caller's transaction."""

    def __init__(self, log: AuditLog, random: Randomness) -> None:
        self._log = log
        self._random = random

    def record(self, connection: Connection, channel: Channel, attempt: Attempt, now: datetime) -> None:
        """Update the channel's breaker after an attempt. Records when an alert starts or ends."""
        changed = breaker(channel, attempt, now, self._random(2))
        connection.execute(update(channels).where(channels.c.id == channel.id), breaker_columns(changed))
        if changed["alerted"] is not channel.alerted:
            kind = EventKind.CHANNEL_FAILING if changed["alerted"] else EventKind.CHANNEL_RECOVERED
            self._record_alert(connection, channel, kind, attempt.problem, now)

    def overdue(self, connection: Connection, now: datetime) -> Sequence[Channel]:
        """Channels that have failed for longer than `ALERT_AFTER` without an alert yet."""
        return [
            channel
            for channel in all_channels(connection)
            if channel.failing_since is not None
            and now - channel.failing_since >= ALERT_AFTER
            and not channel.alerted
            and channel.paused_at is None
        ]

    def alert(self, connection: Connection, now: datetime) -> None:
        for channel in self.overdue(connection, now):
            connection.execute(update(channels).where(channels.c.id == channel.id).values(alerted=True))
            problem = connection.execute(PROBLEM, {"channel": channel.id}).scalar()
            self._record_alert(connection, channel, EventKind.CHANNEL_FAILING, problem, now)

    def _record_alert(
        self, connection: Connection, channel: Channel, kind: EventKind, problem: str | None, now: datetime
    ) -> None:
        data = {"channel": channel.id, "name": channel.name, "trader": channel.trader}
        note = {"note": problem} if problem else {}
        self._log.append(connection, at=now, kind=kind, actor="broker", data={**data, **note})


def failing(connection: Connection) -> Sequence[Event]:
    """The newest alert of each channel that is still failing, whatever its age."""
    found = []
    for channel in all_channels(connection):
        if channel.alerted and channel.paused_at is None:
            row = connection.execute(ALERT, {"channel_id": f'"channel":"{channel.id}"'}).one_or_none()
            found += [] if row is None else [to_event(row)]
    return found
