"""Subscribes to the prices of waiting requests, also while no page is open."""

from __future__ import annotations

import asyncio

from .errors import BrokerError
from .exchange import Exchange
from .hub import Hub
from .intents import State
from .logs import get_logger
from .store import Store, queries

OWNER = "waiting requests"
MOMENT_SECONDS = 0.2
"""Pause after an event, so that a burst of events causes one read of the database."""

log = get_logger(__name__)


async def watch_waiting(store: Store, hub: Hub, exchange: Exchange) -> None:
    """Keeps the price subscriptions equal to the symbols of pending intents, until cancelled or the hub
    closes.
    """
    try:
        while not hub.closed:
            with hub.subscribed(size=1) as change:
                await _subscribe(store, exchange)
                await change.get()
            await asyncio.sleep(MOMENT_SECONDS)
    finally:
        exchange.prices.want(OWNER, ())


async def _subscribe(store: Store, exchange: Exchange) -> None:
    try:
        pending = await store.read(lambda connection: queries.in_states(connection, {State.PENDING}))
    except BrokerError as error:  # the store logs it, once
        log.debug("prices: the database cannot be read", error=error.message)
        return
    exchange.prices.want(OWNER, {(intent.market, intent.arguments.symbol) for intent in pending})
