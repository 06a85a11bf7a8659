"""Raises alarms: a request that nobody has seen, a failing channel, an unreachable exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from ..clock import Clock, from_ms
from ..errors import BrokerError
from ..events import EventKind
from ..logs import get_logger
from ..notifications import REACHING
from ..store import Store, recent_events

LOOK_SECONDS: Final = 1.0
LASTING: Final = timedelta(seconds=30)
"""How long a problem must last before it raises an alarm, and be gone before the alarm ends."""

log = get_logger(__name__)


class Watch:
    """`exchange_problem` returns a short text while Binance cannot be reached, else None."""

    def __init__(self, store: Store, clock: Clock, exchange_problem: Callable[[], str | None]) -> None:
        self._store = store
        self._clock = clock
        self._problem = exchange_problem
        self._alarmed: bool | None = None
        self._changed_at: datetime | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except BrokerError as error:  # the store logs it, once
                log.debug("watch: the database is not available", error=error.message)
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Check once. Raises STORE_UNAVAILABLE."""
        await self._check_unseen()
        await self._check_channels()
        await self._check_exchange()

    async def _check_unseen(self) -> None:
        """Reads first, and writes only if something is due."""
        now, sightings = self._clock(), self._store.sightings
        if await self._store.read(lambda connection: sightings.overlooked(connection, now)):
            await self._store.database.write(lambda connection: sightings.escalate(connection, now))

    async def _check_channels(self) -> None:
        """A channel may be failing without new attempts: during a long pause, or with an empty queue."""
        now, breakers = self._clock(), self._store.outbox.breakers
        if await self._store.read(lambda connection: breakers.overdue(connection, now)):
            await self._store.database.write(lambda connection: breakers.alert(connection, now))

    async def _check_exchange(self) -> None:
        if self._alarmed is None:  # the alarm may come from an earlier process
            self._alarmed = await self._store.read(self._is_on)
        problem, now = self._problem(), self._clock()
        if (problem is not None) is self._alarmed:
            self._changed_at = None
            return
        self._changed_at = min(self._changed_at or now, now)  # the clock may be set back
        if now - self._changed_at < LASTING:
            return
        kind = EventKind.EXCHANGE_REACHABLE if problem is None else EventKind.EXCHANGE_UNREACHABLE
        await self._store.audit(kind, "broker", **({} if problem is None else {"note": problem[:200]}))
        self._alarmed, self._changed_at = problem is not None, None

    def _is_on(self, connection: Connection) -> bool:
        events = recent_events(connection, REACHING, from_ms(0))
        return bool(events) and events[0].kind is EventKind.EXCHANGE_UNREACHABLE
