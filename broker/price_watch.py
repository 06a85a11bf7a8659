"""Which prices are watched for the requests that wait; pages want their own beside these."""

from __future__ import annotations

import asyncio

from .errors import BrokerError
from .exchange import Exchange
from .hub import Hub
from .intents import State
from .logs import get_logger
from .store import Store, queries

OWNER = "requests that wait"
MOMENT_SECONDS = 0.2
"""A burst of events is one look at the database."""

log = get_logger(__name__)


async def watch_waiting(store: Store, hub: Hub, exchange: Exchange) -> None:
    """Keep the symbols of pending intents watched, and no others, until the hub closes or cancelled."""
    try:
        while not hub.closed:
            with hub.subscribed(size=1) as change:
                await _want(store, exchange)
                await change.get()
            await asyncio.sleep(MOMENT_SECONDS)
    finally:
        exchange.prices.want(OWNER, ())


async def _want(store: Store, exchange: Exchange) -> None:
    try:
        waiting = await store.read(lambda connection: queries.in_states(connection, {State.PENDING}))
    except BrokerError as error:  # the store logs it, once
        log.debug("prices: the database cannot be read", error=error.message)
        return
    exchange.prices.want(OWNER, {(intent.market, intent.arguments["symbol"]) for intent in waiting})
