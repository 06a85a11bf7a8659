"""Order updates from Binance's user data streams."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from .streaming import follow
from .venue import Venue

RENEW_SECONDS: Final = 1200.0
"""A stream without events is restarted: the listen key of futures expires after an hour."""

Listener = Callable[[str, str], None]
"""Called with market and client order id. An empty id: any order of the market may have changed."""


class OrderUpdates:
    """Reports only that an order changed. Events may be lost or late, so the listener asks for its state."""

    def __init__(self, venues: Iterable[Venue], *, configured: bool) -> None:
        self._venues = tuple(venues) if configured else ()
        self._listeners: list[Listener] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping: set[asyncio.Task[None]] = set()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def watch(self, wanted: bool) -> None:
        """Start or stop the streams. Without API keys nothing runs."""
        if wanted and not self._tasks:
            self._tasks = [asyncio.create_task(self._watch(venue)) for venue in self._venues]
        elif not wanted:
            for task in self._tasks:
                task.cancel()
                self._stopping.add(task)
                task.add_done_callback(self._stopping.discard)
            self._tasks = []

    async def close(self) -> None:
        self.watch(False)
        await asyncio.gather(*self._stopping, return_exceptions=True)

    async def _watch(self, venue: Venue) -> None:
        client = venue.order_stream
        if self._stopping:
            await asyncio.wait(self._stopping)
        await venue.until_ready()

        async def watch() -> Sequence[Mapping[str, Any]]:
            try:
                orders: Sequence[Mapping[str, Any]] = await client.watch_orders()
            except Exception:
                await client.hang_up()  # the listen key may be the cause
                raise
            return orders

        def on_orders(orders: Sequence[Mapping[str, Any]]) -> None:
            for order in orders:
                self._tell(venue, order["clientOrderId"] or "")

        try:
            await follow(
                client, watch, on_orders, silence_seconds=RENEW_SECONDS, failed=lambda: self._tell(venue, "")
            )
        finally:
            with suppress(Exception):
                await client.hang_up()

    def _tell(self, venue: Venue, client_order_id: str) -> None:
        for listener in self._listeners:
            listener(venue.market, client_order_id)
