"""Reads that are the same on spot and futures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from .guarded_call import Calls
from .markets import Markets
from .models import Book, KeyRights
from .parsing import key_rights, levels
from .read_errors import not_configured, unavailable
from .server_time import ServerTime

T = TypeVar("T")

PRICES_MAX_AGE_MS: Final = 1_000


class Reads:
    """Symbols may be Binance ids or ccxt's unified symbols. Methods raise only BrokerError.

    Raw answers are ccxt's unified dicts with Decimal numbers. Simultaneous equal calls return the same
    object: do not modify it.
    """

    _reader: Any
    _calls: Calls
    _markets: Markets
    _time: ServerTime
    _configured: bool

    def __init__(self) -> None:
        self._prices: Mapping[str, Decimal] = {}
        self._prices_at_ms: int | None = None

    async def server_time_ms(self) -> int:
        """Ask Binance for its time, in UTC milliseconds."""
        return await self._calls.make(lambda: self._time.ask(self._reader))

    async def ticker(self, symbol: str) -> dict[str, Any]:
        """ccxt's ticker. On futures it has no bid and ask; use `book`."""
        market = self._markets.symbol(symbol)

        async def call() -> dict[str, Any]:
            return require_field(await self._reader.fetch_ticker(market), "last")

        return await self._calls.share(("ticker", market), call)

    async def book(self, symbol: str, limit: int = 100) -> Book:
        market = self._markets.symbol(symbol)

        async def call() -> Book:
            asked_at_ms = self._time.our_ms()
            depth = await self._reader.ask("depth", {"symbol": market, "limit": limit})
            bids, asks = levels(depth["bids"]), levels(depth["asks"])
            return Book(market, bids, asks, self._time.now_ms(), asked_at_ms)

        return await self._calls.share(("book", market, limit), call)

    async def klines(self, symbol: str, interval: str, limit: int) -> list[list[Any]]:
        """Rows of [time, open, high, low, close, volume], oldest first. Time is the open time, UTC ms."""
        market = self._markets.symbol(symbol)

        async def call() -> list[list[Any]]:
            rows: list[list[Any]] = await self._reader.fetch_ohlcv(market, interval, None, limit)
            for row in rows:
                require(*row)
            return rows

        return await self._calls.share(("klines", market, interval, limit), call)

    async def trades(self, symbol: str, limit: int) -> list[dict[str, Any]]:
        market = self._markets.symbol(symbol)

        async def call() -> list[dict[str, Any]]:
            return require_field_in_all(await self._reader.fetch_trades(market, None, limit), "price")

        return await self._calls.share(("trades", market, limit), call)

    async def last_prices(self) -> Mapping[str, Decimal]:
        """The last price of each symbol, by Binance id; at most a second old."""

        async def call() -> Mapping[str, Decimal]:
            rows = await self._reader.ask("ticker_price")
            self._prices = {row["symbol"]: Decimal(row["price"]) for row in rows}
            self._prices_at_ms = self._time.now_ms()
            return self._prices

        if self._prices_at_ms is not None:
            if 0 <= self._time.now_ms() - self._prices_at_ms < PRICES_MAX_AGE_MS:
                return self._prices
        return await self._calls.share("last_prices", call)

    async def last_price(self, symbol: str) -> Decimal:
        """The last price, at most a second old."""
        market = self._markets.symbol(symbol)
        price = (await self.last_prices()).get(market)
        if price is None:
            raise unavailable(f"it has no price for {market}")
        return price

    async def my_trades(
        self, symbol: str, limit: int, *, order_id: str | None = None
    ) -> list[dict[str, Any]]:
        """The account's trades. On futures with `info.realizedPnl`."""
        market = self._markets.symbol(symbol)
        params = {} if order_id is None else {"orderId": order_id}

        async def call() -> list[dict[str, Any]]:
            rows = await self._reader.fetch_my_trades(market, None, limit, params)
            return [_with_fee(row) for row in require_field_in_all(rows, "id")]

        return await self._private(call)

    async def restrictions(self) -> KeyRights:
        """The API key's permissions. Raises INTERNAL on testnets, which lack the endpoint."""

        async def call() -> KeyRights:
            return key_rights(await self._reader.sapi_get_account_apirestrictions())

        return await self._private(call)

    async def _private(self, call: Callable[[], Awaitable[T]]) -> T:
        self._require_ready()

        async def timed_call() -> T:
            await self._time.refresh(self._reader)
            return await call()

        return await self._calls.make(timed_call)

    def _require_ready(self) -> None:
        if not self._configured:
            raise not_configured()
        self._markets.require()


def _with_fee(row: dict[str, Any]) -> dict[str, Any]:
    """Add the fee, which ccxt drops when numbers are Decimals."""
    info = row["info"]
    return {**row, "fee": {"cost": Decimal(info["commission"]), "currency": info["commissionAsset"]}}


def require_field_in_all(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [require_field(row, name) for row in rows]


def require_field(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the answer if the field is set. ccxt turns an invalid answer into a dict full of None."""
    require(answer[name])
    return answer


def require(*figures: object) -> None:
    if not figures or None in figures:
        raise ValueError("a figure is missing in the answer")
