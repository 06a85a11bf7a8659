"""What is asked of Binance: the market, the account, and cancelling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from ..errors import BrokerError
from .calls import Calls
from .failures import not_configured
from .markets import Markets
from .models import Account, Balance, Book, Level
from .server_time import ServerTime
from .weight import ALL_WEIGHT_PCT

T = TypeVar("T")

PRICES_MAX_AGE_MS: Final = 1_000

TIME_IS_WRONG: Final = -1021
NOTHING_TO_CANCEL: Final = -2011


class Reads:
    """All symbols may be ids or unified. Every method raises BrokerError and nothing else.

    Raw answers are ccxt's unified dicts with Decimal numbers. Callers who ask the same at the same time get
    one and the same object: read it, don't change it.
    """

    def __init__(
        self, client: Any, calls: Calls, markets: Markets, time: ServerTime, *, configured: bool
    ) -> None:
        self._client = client
        self._calls = calls
        self._markets = markets
        self._time = time
        self._configured = configured
        self._prices: Mapping[str, Decimal] = {}
        self._prices_at_ms: int | None = None

    async def server_time_ms(self) -> int:
        return await self._calls.make(lambda: self._time.ask(self._client), weight_pct=ALL_WEIGHT_PCT)

    async def refresh_time(self) -> None:
        if self._time.stale:
            await self.server_time_ms()

    async def ticker(self, symbol: str) -> dict[str, Any]:
        market = self._markets.symbol(symbol)

        async def call() -> dict[str, Any]:
            return _whole(await self._client.fetch_ticker(market), "last")

        return await self._calls.share(("ticker", market), call)

    async def all_tickers(self) -> dict[str, dict[str, Any]]:
        """By Binance id, the largest 24 h volume in the quote asset first."""
        self._markets.require()

        async def call() -> dict[str, dict[str, Any]]:
            tickers = (await self._client.fetch_tickers()).values()
            ranked = sorted(tickers, key=lambda ticker: ticker["quoteVolume"] or Decimal(0), reverse=True)
            by_id = {ticker["info"]["symbol"]: ticker for ticker in ranked}
            _require(*by_id)
            # Binance may have listed more since the markets were loaded.
            return {symbol: ticker for symbol, ticker in by_id.items() if self._markets.knows(symbol)}

        return await self._calls.share("all_tickers", call)

    async def book(self, symbol: str, limit: int) -> Book:
        market = self._markets.symbol(symbol)

        async def call() -> Book:
            depth = await self._client.public_get_depth({"symbol": market, "limit": limit})
            bids, asks = _levels(depth["bids"]), _levels(depth["asks"])
            return Book(market, bids, asks, self._time.now_ms())

        return await self._calls.share(("book", market, limit), call)

    async def klines(self, symbol: str, interval: str, limit: int) -> list[list[Any]]:
        market = self._markets.symbol(symbol)

        async def call() -> list[list[Any]]:
            rows: list[list[Any]] = await self._client.fetch_ohlcv(market, interval, None, limit)
            for row in rows:
                _require(*row)
            return rows

        return await self._calls.share(("klines", market, interval, limit), call)

    async def trades(self, symbol: str, limit: int) -> list[dict[str, Any]]:
        market = self._markets.symbol(symbol)

        async def call() -> list[dict[str, Any]]:
            return _all_whole(await self._client.fetch_trades(market, None, limit), "price")

        return await self._calls.share(("trades", market, limit), call)

    async def average_price(self, symbol: str) -> Decimal:
        market = self._markets.symbol(symbol)

        async def call() -> Decimal:
            return Decimal((await self._client.public_get_avgprice({"symbol": market}))["price"])

        return await self._calls.share(("average_price", market), call)

    async def last_prices(self) -> Mapping[str, Decimal]:
        """By Binance id; at most a second old."""

        async def call() -> Mapping[str, Decimal]:
            rows = await self._client.public_get_ticker_price()
            self._prices = {row["symbol"]: Decimal(row["price"]) for row in rows}
            self._prices_at_ms = self._time.now_ms()
            return self._prices

        if self._prices_at_ms is not None:
            if 0 <= self._time.now_ms() - self._prices_at_ms < PRICES_MAX_AGE_MS:
                return self._prices
        return await self._calls.share("last_prices", call)

    async def account(self) -> Account:
        async def call() -> Account:
            return _account(await self._client.private_get_account({"omitZeroBalances": "true"}))

        return await self._private(call)

    async def open_orders(self, symbol: str | None) -> list[dict[str, Any]]:
        market = None if symbol is None else self._markets.symbol(symbol)

        async def call() -> list[dict[str, Any]]:
            return _all_whole(await self._client.fetch_open_orders(market), "id")

        return await self._private(call)

    async def my_trades(self, symbol: str, limit: int, order_id: str | None) -> list[dict[str, Any]]:
        market = self._markets.symbol(symbol)
        params = {} if order_id is None else {"orderId": order_id}

        async def call() -> list[dict[str, Any]]:
            rows = await self._client.fetch_my_trades(market, None, limit, params)
            return [_with_fee(row) for row in _all_whole(rows, "id")]

        return await self._private(call)

    async def cancel(self, symbol: str, order_id: str) -> dict[str, Any]:
        market = self._markets.symbol(symbol)

        async def call() -> dict[str, Any]:
            return _whole(await self._client.cancel_order(order_id, market), "id")

        return await self._private(call)

    async def cancel_all(self, symbol: str) -> list[dict[str, Any]]:
        """The cancelled orders; none when there were none, which Binance answers with an error."""
        market = self._markets.symbol(symbol)

        async def call() -> list[dict[str, Any]]:
            answer = await self._client.private_delete_openorders({"symbol": market})
            # ccxt would make one order without an id of a list of orders (an OCO).
            reports = [report for item in answer for report in item.get("orderReports", [item])]
            return _all_whole([self._client.parse_order(report) for report in reports], "id")

        try:
            return await self._private(call)
        except BrokerError as error:
            if error.details.get("binanceCode") == NOTHING_TO_CANCEL:
                return []
            raise

    async def _private(self, call: Callable[[], Awaitable[T]]) -> T:
        if not self._configured:
            raise not_configured()
        self._markets.require()

        async def timed_call() -> T:
            await self._time.refresh(self._client)
            return await call()

        try:
            return await self._calls.make(timed_call)
        except BrokerError as error:
            if error.details.get("binanceCode") == TIME_IS_WRONG:
                self._time.distrust()
            raise


def _account(answer: Mapping[str, Any]) -> Account:
    balances = (
        Balance(row["asset"], Decimal(row["free"]), Decimal(row["locked"])) for row in answer["balances"]
    )
    return Account(
        balances=tuple(balance for balance in balances if balance.total > 0),
        can_trade=bool(answer["canTrade"]),
        can_withdraw=bool(answer["canWithdraw"]),
        update_time_ms=int(answer["updateTime"]),
        taker_fee=Decimal(answer["commissionRates"]["taker"]),
    )


def _levels(rows: list[list[str]]) -> tuple[Level, ...]:
    return tuple(Level(Decimal(row[0]), Decimal(row[1])) for row in rows)


def _with_fee(row: dict[str, Any]) -> dict[str, Any]:
    """ccxt loses the fee where numbers are Decimals."""
    info = row["info"]
    return {**row, "fee": {"cost": Decimal(info["commission"]), "currency": info["commissionAsset"]}}


def _all_whole(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [_whole(row, name) for row in rows]


def _whole(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """ccxt makes a dict full of None of an answer that isn't one; every true one has this figure."""
    _require(answer[name])
    return answer


def _require(*figures: object) -> None:
    if not figures or None in figures:
        raise ValueError("a figure is missing in the answer")
