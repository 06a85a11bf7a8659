"""Records refused attempts, such as failed sign-ins, without letting them flood the audit log."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection

from ..clock import Clock, iso
from ..errors import BrokerError
from ..events import EventKind
from ..logs import get_logger
from .audit import AuditLog
from .database import Database

ONE_BY_ONE: Final = 10
"""Audit rows per kind, subject and hour. Further attempts are counted in one row."""

HOUR: Final = timedelta(hours=1)
SETTLE_SECONDS: Final = 60.0

Subject = tuple[EventKind, str]
"""Kind of the audit row, and who or what it is about."""

log = get_logger(__name__)


@dataclass
class _Hour:
    since: datetime
    actor: str
    attempts: int = 0


class Refusals:
    """Counts in memory: a killed process loses the current hour's count, but no rows."""

    def __init__(self, database: Database, log: AuditLog, clock: Clock) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._hours: dict[Subject, _Hour] = {}

    async def record(
        self, kind: EventKind, actor: str, about: str, *, intent_id: str | None = None, **data: Any
    ) -> None:
        """Write an audit row, or only count the attempt after 10 rows in the hour.

        `about` must come from a bounded set, such as the traders' names, because each value gets its own
        rows. Use one common value for names that strangers make up.
        """
        await self.settle()
        now = self._clock()
        hour = self._hours.setdefault((kind, about), _Hour(now, actor))
        hour.attempts += 1
        if hour.attempts > ONE_BY_ONE:
            return
        if hour.attempts == ONE_BY_ONE:
            data["laterOnes"] = "counted until the hour is over"
        await self._database.write(
            lambda connection: self._append(connection, kind, actor, data, intent_id=intent_id)
        )

    async def settle(self, *, at_end: bool = False) -> None:
        """Write the counts of hours that have ended; with `at_end`, of the current hour too."""
        now = self._clock()
        ended = {
            subject: hour
            for subject, hour in self._hours.items()
            if at_end or not timedelta(0) <= now - hour.since < HOUR
        }
        for subject in ended:
            del self._hours[subject]
        counted = [(subject, hour) for subject, hour in ended.items() if hour.attempts > ONE_BY_ONE]
        if not counted:
            return

        def transaction(connection: Connection) -> None:
            for (kind, about), hour in counted:
                data = {
                    "about": about,
                    "count": hour.attempts - ONE_BY_ONE,
                    "since": iso(hour.since),
                    "until": iso(now),
                }
                self._append(connection, kind, hour.actor, data)

        try:
            await self._database.write(transaction)
        except BrokerError:
            for subject, hour in counted:
                self._hours.setdefault(subject, hour)
            raise

    async def run(self) -> None:
        """Settle once a minute, until cancelled."""
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            try:
                await self.settle()
            except BrokerError as error:
                log.warning("count of refused attempts is not written yet", error=error.message)

    async def close(self) -> None:
        """Write all counts before the broker stops."""
        try:
            await self.settle(at_end=True)
        except BrokerError as error:
            log.warning("count of refused attempts is lost", error=error.message)

    def _append(
        self,
        connection: Connection,
        kind: EventKind,
        actor: str,
        data: dict[str, Any],
        *,
        intent_id: str | None = None,
    ) -> None:
        self._log.append(connection, at=self._clock(), kind=kind, actor=actor, intent_id=intent_id, data=data)
