"""Whether a channel works, and who is told where one has failed for long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select, update

from ..clock import Randomness
from ..notifications import ALERT_AFTER, FAILING, RECOVERED, Attempt, Channel, Progress, breaker
from ..hub import Event
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
    .where(audit.c.kind == FAILING, audit.c.data.contains(bindparam("told")))
    .order_by(audit.c.seq.desc())
    .limit(1)
)


class Breakers:
    """Functions of a connection."""

    def __init__(self, log: AuditLog, random: Randomness) -> None:
        self._log = log
        self._random = random

    def record(self, connection: Connection, channel: Channel, attempt: Attempt, now: datetime) -> None:
        """What an attempt changes of its channel."""
        changed = breaker(channel, attempt, now, self._random(2))
        connection.execute(update(channels).where(channels.c.id == channel.id), breaker_columns(changed))
        if changed["alerted"] is not channel.alerted:
            kind = FAILING if changed["alerted"] else RECOVERED
            self._tell(connection, channel, kind, attempt.problem, now)

    def overdue(self, connection: Connection, now: datetime) -> Sequence[Channel]:
        """Those that have failed for long, which nobody was told: no attempt has ended since."""
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
            self._tell(connection, channel, FAILING, problem, now)

    def _tell(
        self, connection: Connection, channel: Channel, kind: str, problem: str | None, now: datetime
    ) -> None:
        told = {"channel": channel.id, "name": channel.name, "trader": channel.trader}
        note = {"note": problem} if problem else {}
        self._log.append(connection, at=now, kind=kind, actor="broker", data={**told, **note})


def failing(connection: Connection) -> Sequence[Event]:
    """The newest alert of each channel that still fails, however old it is."""
    found = []
    for channel in all_channels(connection):
        if channel.alerted and channel.paused_at is None:
            row = connection.execute(ALERT, {"told": f'"channel":"{channel.id}"'}).one_or_none()
            found += [] if row is None else [to_event(row)]
    return found
