"""Hands new rows of the audit log to the hub: own commits at once, other processes' within 0.5 s."""

from __future__ import annotations

import asyncio
from functools import partial

from ..errors import BrokerError
from ..hub import Hub
from ..logs import get_logger
from .audit import AT_ONCE, events_after, head
from .database import Database

POLL_SECONDS = 0.5

log = get_logger(__name__)


class Feed:
    def __init__(self, database: Database, hub: Hub) -> None:
        self._database = database
        self._hub = hub
        self._changed = asyncio.Event()
        self._seen = database.read_now(head)
        database.on_commit = self._changed.set

    async def run(self) -> None:
        """Publish each row once, in order, until cancelled."""
        while True:
            try:
                await self._publish_new()
            except BrokerError as error:  # the store logs it once
                log.debug("feed: the database cannot be read", error=error.message)
            await self._wait()

    async def _publish_new(self) -> None:
        self._changed.clear()
        more = True
        while more:
            events = await self._database.read(partial(events_after, seq=self._seen))
            for event in events:
                self._hub.publish(event)
                self._seen = event.seq
            more = len(events) == AT_ONCE

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._changed.wait()
        except TimeoutError:
            pass
