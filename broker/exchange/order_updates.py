"""The account's order updates over WebSocket, while there are orders to follow."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from .streaming import follow
from .venue import Venue

RENEW_SECONDS: Final = 1200.0
"""A stream without messages is restarted after this: a futures listen key is valid for an hour."""

Listener = Callable[[str, str], None]
"""Called with the market and a client order id. "" means that any order of that market may have changed."""


class OrderUpdates:
    """An update says only that something changed. Listeners read the order: an event can be lost or late."""

    def __init__(self, venues: Iterable[Venue], *, configured: bool) -> None:
        self._venues = tuple(venues) if configured else ()
        self._listeners: list[Listener] = []
        self._watches: list[asyncio.Task[None]] = []
        self._ending: set[asyncio.Task[None]] = set()

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def watch(self, wanted: bool) -> None:
        """Start or stop the streams. Without keys nothing runs."""
        if wanted and not self._watches:
            self._watches = [asyncio.create_task(self._watch(venue)) for venue in self._venues]
        elif not wanted:
            for task in self._watches:
                task.cancel()
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)
            self._watches = []

    async def close(self) -> None:
        self.watch(False)
        await asyncio.gather(*self._ending, return_exceptions=True)

    async def _watch(self, venue: Venue) -> None:
        client = venue.order_stream
        if self._ending:
            await asyncio.wait(self._ending)
        await venue.until_ready()

        async def watch() -> Sequence[Mapping[str, Any]]:
            try:
                orders: Sequence[Mapping[str, Any]] = await client.watch_orders()
            except Exception:
                await client.disconnect()  # the listen key may be the cause
                raise
            return orders

        def handle(orders: Sequence[Mapping[str, Any]]) -> None:
            for order in orders:
                self._tell(venue, order["clientOrderId"] or "")

        try:
            await follow(
                client, watch, handle, silence_seconds=RENEW_SECONDS, on_failure=lambda: self._tell(venue, "")
            )
        finally:
            with suppress(Exception):
                await client.disconnect()

    def _tell(self, venue: Venue, client_order_id: str) -> None:
        for listener in self._listeners:
            listener(venue.market, client_order_id)
