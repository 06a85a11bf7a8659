"""pending → expired: moves requests that were not decided in time."""

from __future__ import annotations

import asyncio

from .clock import Clock
from .errors import BrokerError
from .logs import get_logger
from .store import Store, queries

LOOK_SECONDS = 0.25

log = get_logger(__name__)


async def expire_in_time(store: Store, clock: Clock) -> None:
    """Runs until cancelled. Starts a write transaction only if a request is due."""
    while True:
        try:
            if await store.read(lambda connection: queries.due(connection, clock())):
                await store.intents.expire_due()
        except BrokerError as error:  # the store logs it, once
            log.debug("expiry: the database is not available", error=error.message)
        await asyncio.sleep(LOOK_SECONDS)
