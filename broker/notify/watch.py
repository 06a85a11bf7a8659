"""What nobody else would notice: a request that nobody sees, a channel that is not even tried, an exchange
that does not answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from ..clock import Clock, from_ms
from ..notifications import REACHABLE, UNREACHABLE
from ..errors import BrokerError
from ..logs import get_logger
from ..store import Store, recent_events

LOOK_SECONDS: Final = 1.0
LASTING: Final = timedelta(seconds=30)
"""A trouble that is over sooner is nobody's alarm; nor is what comes and goes told each time."""

log = get_logger(__name__)


class Watch:
    """`exchange_problem` is a short text while Binance cannot be reached."""

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
        """Raises STORE_UNAVAILABLE."""
        await self._look_for_unseen()
        await self._look_at_channels()
        await self._look_at_the_exchange()

    async def _look_for_unseen(self) -> None:
        """It looks with a reader, and writes only when something is due."""
        now, sightings = self._clock(), self._store.sightings
        if await self._store.read(lambda connection: sightings.overlooked(connection, now)):
            await self._store.database.write(lambda connection: sightings.escalate(connection, now))

    async def _look_at_channels(self) -> None:
        """One may have been told to pause for long, or have nothing more to tell."""
        now, breakers = self._clock(), self._store.outbox.breakers
        if await self._store.read(lambda connection: breakers.overdue(connection, now)):
            await self._store.database.write(lambda connection: breakers.alert(connection, now))

    async def _look_at_the_exchange(self) -> None:
        if self._alarmed is None:  # an alarm outlives the process that raised it
            self._alarmed = await self._store.read(self._is_on)
        problem, now = self._problem(), self._clock()
        if (problem is not None) is self._alarmed:
            self._changed_at = None
            return
        self._changed_at = min(self._changed_at or now, now)  # the clock may be set back
        if now - self._changed_at < LASTING:
            return
        kind = REACHABLE if problem is None else UNREACHABLE
        await self._store.audit(kind, "broker", **({} if problem is None else {"note": problem[:200]}))
        self._alarmed, self._changed_at = problem is not None, None

    def _is_on(self, connection: Connection) -> bool:
        told = recent_events(connection, (UNREACHABLE, REACHABLE), from_ms(0))
        return bool(told) and told[0].kind == UNREACHABLE
