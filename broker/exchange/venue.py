"""One market of Binance: reads use a connection pool, orders use fresh connections."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Final

import aiohttp

from ..clock import Clock
from ..settings import Settings
from . import clients
from .fair_share import FairShare
from .guarded_call import Calls
from .market_loader import LOAD_SECONDS, MarketLoader
from .markets import Cache, Markets
from .models import Market, OrderRequest, OrderState, RestingOrder, Rules, Sent
from .orders import Orders
from .reads import Reads
from .server_time import ServerTime
from .weight import ALL_PCT, Weight, leaving_room

MOST_TRADES: Final = 1000


class Venue(Reads, ABC):
    """Amounts and prices are Decimals, times UTC milliseconds, symbols Binance ids or unified symbols.

    Reads raise only BrokerError, within `read_seconds`.
    """

    market: ClassVar[Market]

    def __init__(
        self,
        settings: Settings,
        *,
        paper_url: str | None,
        clock: Clock,
        cache_folder: Path | None,
        read_seconds: float,
        submit_seconds: float,
    ) -> None:
        """`cache_folder`: where the markets are cached for the next start; None: not cached."""
        super().__init__()
        market = self.market
        self._time = time = ServerTime(clock)
        self._configured = settings.configured
        self._reader = clients.reader(settings, paper_url, timeout_seconds=LOAD_SECONDS, market=market)
        self._executor = clients.executor(settings, paper_url, timeout_seconds=submit_seconds, market=market)
        self.weight = Weight(time.now_ms)
        self._shares = FairShare(time.now_ms, clients.COSTS_A_MINUTE[market])
        self._clients = [self._reader, self._executor]
        for client in self._clients:
            client.weight, client.shares, client.now_ms = self.weight, self._shares, time.now_ms
        self._make_price_stream = partial(clients.prices, settings, paper_url, market=market)
        self._make_order_stream = partial(clients.news, settings, paper_url, market=market)
        self._markets = Markets(market, self._executor, [self._reader])
        self._calls = Calls(market, self.weight, read_seconds, distrust=time.distrust)
        self._orders: Orders = self._make_orders()
        cache = None
        if cache_folder is not None:
            cache = Cache(cache_folder / f"{settings.mode}.{market}.markets.json", settings.mode)
        self._loader = MarketLoader(self._reader, self._calls, self._markets, time, cache, clock)
        self._sessions: list[aiohttp.ClientSession] = []
        self._loading: asyncio.Task[None] | None = None

    # Life

    async def start(self) -> None:
        """Start loading the markets in the background; retries until it succeeds."""
        self._sessions = [
            clients.attach(client, fresh_connections=client is self._executor) for client in self._clients
        ]
        self._loading = asyncio.create_task(self._loader.run())

    async def close(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            with suppress(asyncio.CancelledError):
                await self._loading
        for client in self._clients:
            await client.close()
        for session in self._sessions:
            await session.close()

    @property
    def ready(self) -> bool:
        """Whether the markets are loaded."""
        return self._markets.ready

    async def until_ready(self) -> None:
        await self._loader.loaded.wait()

    @property
    def reachable(self) -> bool:
        """Whether the last call was answered."""
        return self._calls.reachable

    @property
    def last_error(self) -> str | None:
        """The error of the last call, unless the caller caused it; or that the markets are not loaded."""
        return self._calls.last_error or self._markets.problem

    @property
    def clock_offset_ms(self) -> int:
        """How far Binance's clock was ahead of ours at the last measurement."""
        return self._time.offset_ms

    # Streams. A ccxt client costs 20 ms and some memory, so it is created when first used.

    @cached_property
    def price_stream(self) -> Any:
        """Needs the running loop."""
        return self._add_stream(self._make_price_stream())

    @cached_property
    def order_stream(self) -> Any:
        """Needs the running loop."""
        return self._add_stream(self._make_order_stream())

    def _add_stream(self, client: Any) -> Any:
        client.weight, client.shares, client.now_ms = self.weight, self._shares, self._time.now_ms
        self._clients.append(client)
        self._sessions.append(clients.attach(client, fresh_connections=False))
        self._markets.accompany(client)
        return client

    # Symbols

    def symbol(self, text: str) -> str:
        """The Binance id. Raises UNKNOWN_SYMBOL, or BINANCE_UNAVAILABLE while the markets are not loaded."""
        return self._markets.symbol(text)

    def rules(self, symbol: str) -> Rules:
        """A symbol's rules. Raises like `symbol`."""
        return self._markets.rules(symbol)

    # Reads that differ

    @abstractmethod
    async def average_price(self, symbol: str) -> Decimal:
        """Binance's reference price for price bands and for the value of market orders."""

    @abstractmethod
    async def open_orders(self, symbol: str | None = None) -> list[RestingOrder]:
        """Open orders of one symbol or of all; on futures including conditional orders."""

    @abstractmethod
    async def cancel(self, symbol: str, order_id: str, *, conditional: bool = False) -> str:
        """Cancel an order and return its id. Raises BINANCE_REFUSED (-2011) if it is not open."""

    @abstractmethod
    async def cancel_all(self, symbol: str) -> list[str]:
        """Cancel all orders of the symbol. Returns their ids; empty if there were none."""

    # The executor

    @abstractmethod
    def _make_orders(self) -> Orders: ...

    async def take_budget(self) -> None:
        """Check the weight and refresh the clock offset, before an order is committed.

        Raises RATE_LIMITED if Binance would reject the order; and like reads if Binance does not answer.
        """
        with leaving_room(ALL_PCT):
            self.weight.check()
        if self._time.stale:
            await self.server_time_ms()

    async def submit(self, order: OrderRequest, *, client_order_id: str, timestamp_ms: int) -> Sent:
        """Send an order's POST once. The result is in `verdict`; Binance and network errors raise nothing."""
        return await self._orders.submit(order, client_order_id, timestamp_ms)

    async def look_up(
        self, symbol: str, client_order_id: str, *, conditional: bool = False
    ) -> OrderState | None:
        """The order; None if Binance knows no such order now."""
        return await self._orders.look_up(symbol, client_order_id, conditional=conditional)

    async def find(self, symbol: str, order_id: str, *, conditional: bool = False) -> OrderState | None:
        """Like `look_up`, by Binance's order id."""
        return await self._orders.find(symbol, order_id, conditional=conditional)

    async def cancel_once(self, symbol: str, order_id: str, *, conditional: bool, timestamp_ms: int) -> Sent:
        """Send an order's DELETE once. The result is in `verdict`, as in `submit`."""
        return await self._orders.cancel(symbol, order_id, timestamp_ms, conditional=conditional)

    async def with_trades(self, order: OrderState) -> OrderState:
        """Add the fees and, on futures, the realised P&L: they are only in the order's trades.

        Returns the order unchanged while Binance's list of trades is incomplete.
        """
        complete = order.fees and (self.market is Market.SPOT or order.realized is not None)
        if complete or not order.filled:
            return order
        order_id = order.executed_as or order.id
        trades = await self.my_trades(order.symbol, MOST_TRADES, order_id=order_id)
        if sum(trade["amount"] for trade in trades) != order.filled:
            return order
        fees: dict[str, Decimal] = {}
        for trade in trades:
            asset = trade["fee"]["currency"]
            fees[asset] = fees.get(asset, Decimal(0)) + trade["fee"]["cost"]
        return replace(order, fees=tuple(fees.items()), realized=_realized(trades))


def _realized(trades: list[dict[str, Any]]) -> Decimal | None:
    profits = [Decimal(trade["info"]["realizedPnl"]) for trade in trades if "realizedPnl" in trade["info"]]
    return sum(profits, Decimal(0)) if profits else None
