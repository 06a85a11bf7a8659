"""Live prices of the symbols that pages and requests currently need."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

from ..clock import Clock, to_ms
from .models import Market
from .streaming import follow
from .venue import Venue

STALE_MS: Final = 5_000

CHANNEL: Final = {"name": "miniTicker"}
"""Updates after trades: once per second on spot, twice on futures."""

SILENCE_SECONDS: Final = 60.0
"""A stream without events is restarted after this time: its connection may be dead."""

UNSUBSCRIBE_SECONDS: Final = 2.0

Key = tuple[Market, str]


@dataclass(frozen=True, slots=True)
class LivePrice:
    """The last price, and when it was received: by our clock, in UTC milliseconds."""

    price: Decimal
    at_ms: int

    def stale(self, now_ms: int) -> bool:
        """Whether it is older than five seconds, or the clock was set back."""
        return abs(now_ms - self.at_ms) > STALE_MS


class Prices:
    """One subscription per wanted symbol; nothing runs if none is wanted."""

    def __init__(self, venues: Mapping[Market, Venue], clock: Clock) -> None:
        self._venues = venues
        self._clock = clock
        self._wanted: dict[Hashable, frozenset[Key]] = {}
        self._watches: dict[Key, asyncio.Task[None]] = {}
        self._subscribed: set[Key] = set()
        self._last: dict[Key, LivePrice] = {}
        self._price_events: set[asyncio.Event] = set()
        self._closed = False

    def want(self, owner: Hashable, symbols: Iterable[tuple[str, str]]) -> None:
        """Replace the symbols that this owner wants, as (market, Binance id). Empty: none."""
        keys = frozenset((Market(market), symbol) for market, symbol in symbols)
        if keys:
            self._wanted[owner] = keys
        else:
            self._wanted.pop(owner, None)
        self._update_watches()

    def last(self, market: str, symbol: str) -> LivePrice | None:
        """The last price; None until the first tick, or if the symbol is not wanted."""
        return self._last.get((Market(market), symbol))

    @contextmanager
    def subscribed(self) -> Iterator[asyncio.Event]:
        """An event that each new price sets. The caller clears it."""
        event = asyncio.Event()
        self._price_events.add(event)
        try:
            yield event
        finally:
            self._price_events.discard(event)

    async def close(self) -> None:
        self._closed = True
        watches = list(self._watches.values())
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def _update_watches(self) -> None:
        wanted: set[Key] = set().union(*self._wanted.values())
        for key, watch in self._watches.items():
            if key not in wanted and not watch.cancelling():
                watch.cancel()
                self._last.pop(key, None)
        if self._closed:
            return
        for key in wanted - self._watches.keys():
            watch = self._watches[key] = asyncio.create_task(self._watch(key))
            watch.add_done_callback(partial(self._ended, key))

    def _ended(self, key: Key, _: asyncio.Task[None]) -> None:
        del self._watches[key]
        self._update_watches()  # it may have been wanted again while it was ending

    async def _watch(self, key: Key) -> None:
        market, symbol = key
        venue = self._venues[market]
        client = venue.price_stream
        await venue.until_ready()
        self._subscribed.add(key)
        try:
            await follow(
                client,
                lambda: client.watch_ticker(symbol, CHANNEL),
                lambda ticker: self._on_ticker(key, ticker),
                silence_seconds=SILENCE_SECONDS,
            )
        finally:
            with suppress(Exception):
                await self._unsubscribe(client, key)

    async def _unsubscribe(self, client: Any, key: Key) -> None:
        market, symbol = key
        try:
            if client.clients:
                async with asyncio.timeout(UNSUBSCRIBE_SECONDS):
                    await client.un_watch_ticker(symbol, CHANNEL)
        finally:
            self._subscribed.discard(key)
            if not any(other is market for other, _ in self._subscribed):
                await client.hang_up()

    def _on_ticker(self, key: Key, ticker: Mapping[str, Any]) -> None:
        # Binance's text, because ccxt's price is a float.
        self._last[key] = LivePrice(Decimal(ticker["info"]["c"]), to_ms(self._clock()))
        for event in self._price_events:
            event.set()
