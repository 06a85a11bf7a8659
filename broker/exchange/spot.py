"""Binance spot: reads on one connection pool, the executor's orders on connections of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from ..clock import Clock
from ..settings import Settings
from . import clients
from .calls import Calls
from .keeper import LOAD_SECONDS, Keeper
from .markets import Cache, Markets
from .models import Account, Book, OrderRequest, OrderState, Rules, Sent
from .orders import Orders
from .reads import Reads
from .server_time import ServerTime
from .weight import Weight


class Spot:
    """Amounts and prices are Decimals, times UTC milliseconds, symbols Binance's ids (unified ones are
    accepted). Reads raise BrokerError and nothing else, within `read_seconds`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        paper_url: str | None,
        clock: Clock,
        markets_cache: Path | None,
        read_seconds: float = 8.0,
        submit_seconds: float = 20.0,
    ) -> None:
        self._time = time = ServerTime(clock)
        self.weight = Weight(time.now_ms)
        self._reader = clients.reader(settings, paper_url, timeout_seconds=LOAD_SECONDS)
        self._executor = clients.executor(settings, paper_url, timeout_seconds=submit_seconds)
        for client in (self._reader, self._executor):
            client.weight, client.now_ms = self.weight, time.now_ms
        self._markets = markets = Markets(self._executor, [self._reader])
        self._calls = calls = Calls(self.weight, read_seconds)
        self._reads = Reads(self._reader, calls, markets, time, configured=settings.configured)
        self._orders = Orders(self._executor, calls, markets, configured=settings.configured)
        cache = None if markets_cache is None else Cache(markets_cache, settings.mode)
        self._keeper = Keeper(self._reader, calls, markets, time, cache, clock)
        self._sessions: list[aiohttp.ClientSession] = []
        self._keeping: asyncio.Task[None] | None = None

    # Life

    async def start(self) -> None:
        """Connects and loads the markets in the background, as often as it takes."""
        self._sessions = [
            clients.attach(self._reader, fresh_connections=False),
            clients.attach(self._executor, fresh_connections=True),
        ]
        self._keeping = asyncio.create_task(self._keeper.run())

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeping
        await self._reader.close()
        await self._executor.close()
        for session in self._sessions:
            await session.close()

    @property
    def ready(self) -> bool:
        """Whether the markets are loaded."""
        return self._markets.ready

    async def until_ready(self) -> None:
        await self._keeper.loaded.wait()

    @property
    def reachable(self) -> bool:
        """Whether the last call was answered."""
        return self._calls.reachable

    @property
    def last_error(self) -> str | None:
        """What was wrong with the last call, when it is not its caller's fault."""
        return self._calls.last_error

    @property
    def clock_offset_ms(self) -> int:
        """How far Binance's clock was ahead of ours when last asked."""
        return self._time.offset_ms

    async def server_time_ms(self) -> int:
        """UTC milliseconds by Binance's clock, asked now."""
        return await self._reads.server_time_ms()

    # Symbols

    def symbol(self, text: str) -> str:
        """Binance's id. Raises UNKNOWN_SYMBOL, or BINANCE_UNAVAILABLE while the markets are not loaded."""
        return self._markets.symbol(text)

    def rules(self, symbol: str) -> Rules:
        """Raises as `symbol` does."""
        return self._markets.rules(symbol)

    # Reads

    async def ticker(self, symbol: str) -> dict[str, Any]:
        return await self._reads.ticker(symbol)

    async def all_tickers(self) -> dict[str, dict[str, Any]]:
        """By Binance id, the largest 24 h volume in the quote asset first."""
        return await self._reads.all_tickers()

    async def klines(self, symbol: str, interval: str, limit: int) -> list[list[Any]]:
        """Rows of time, open, high, low, close, volume; the oldest first."""
        return await self._reads.klines(symbol, interval, limit)

    async def trades(self, symbol: str, limit: int) -> list[dict[str, Any]]:
        return await self._reads.trades(symbol, limit)

    async def book(self, symbol: str, limit: int = 100) -> Book:
        return await self._reads.book(symbol, limit)

    async def average_price(self, symbol: str) -> Decimal:
        """The exchange's reference for price bands and for the value of a market order."""
        return await self._reads.average_price(symbol)

    async def last_prices(self) -> Mapping[str, Decimal]:
        """By Binance id; at most a second old."""
        return await self._reads.last_prices()

    async def account(self) -> Account:
        return await self._reads.account()

    async def open_orders(self, symbol: str | None = None) -> list[dict[str, Any]]:
        return await self._reads.open_orders(symbol)

    async def my_trades(
        self, symbol: str, limit: int, *, order_id: str | None = None
    ) -> list[dict[str, Any]]:
        return await self._reads.my_trades(symbol, limit, order_id)

    # Cancelling

    async def cancel(self, symbol: str, order_id: str) -> dict[str, Any]:
        """Raises BINANCE_REFUSED (-2011) when there is no such open order."""
        return await self._reads.cancel(symbol, order_id)

    async def cancel_all(self, symbol: str) -> list[dict[str, Any]]:
        return await self._reads.cancel_all(symbol)

    # The executor

    async def take_budget(self) -> None:
        """Before an order is committed. Raises RATE_LIMITED when Binance would turn it away; also refreshes
        the clock offset that its timestamp needs, and raises as reads do when Binance does not answer.
        """
        self.weight.check()
        await self._reads.refresh_time()

    async def submit(self, order: OrderRequest, *, client_order_id: str, timestamp_ms: int) -> Sent:
        """The one POST of an order; what became of it is in the verdict, never an exception."""
        return await self._orders.submit(order, client_order_id, timestamp_ms)

    async def look_up(self, symbol: str, client_order_id: str) -> OrderState | None:
        """None: Binance knows no such order now."""
        return await self._orders.look_up(symbol, client_order_id)
