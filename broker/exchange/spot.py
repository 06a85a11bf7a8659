"""Binance spot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ..errors import BrokerError
from . import spot_parsing
from .models import Account, Market, RestingOrder
from .orders import SpotOrders
from .reads import require
from .venue import Venue

NOTHING_TO_CANCEL: Final = -2011


class Spot(Venue):
    market = Market.SPOT

    def _make_orders(self) -> SpotOrders:
        return SpotOrders(self._executor, self._calls, self._markets, configured=self._configured)

    async def all_tickers(self) -> dict[str, dict[str, Any]]:
        """Tickers by Binance id, largest 24 h quote volume first."""
        self._markets.require()

        async def call() -> dict[str, dict[str, Any]]:
            tickers = (await self._reader.fetch_tickers()).values()
            ranked = sorted(tickers, key=lambda ticker: ticker["quoteVolume"] or Decimal(0), reverse=True)
            by_id = {ticker["info"]["symbol"]: ticker for ticker in ranked}
            require(*by_id)
            # Skip symbols that Binance added after the markets were loaded.
            return {symbol: ticker for symbol, ticker in by_id.items() if self._markets.knows(symbol)}

        return await self._calls.share("all_tickers", call)

    async def average_price(self, symbol: str) -> Decimal:
        market = self._markets.symbol(symbol)

        async def call() -> Decimal:
            return Decimal((await self._reader.ask("avgprice", {"symbol": market}))["price"])

        return await self._calls.share(("average_price", market), call)

    async def account(self) -> Account:
        async def call() -> Account:
            return spot_parsing.account(await self._reader.private_get_account({"omitZeroBalances": "true"}))

        return await self._private(call)

    async def open_orders(self, symbol: str | None = None) -> list[RestingOrder]:
        symbol_filter = {} if symbol is None else {"symbol": self._markets.symbol(symbol)}

        async def call() -> list[RestingOrder]:
            return [
                spot_parsing.resting(info)
                for info in await self._reader.private_get_openorders(symbol_filter)
            ]

        return await self._private(call)

    async def cancel(self, symbol: str, order_id: str, *, conditional: bool = False) -> str:
        parameters = {"symbol": self._markets.symbol(symbol), "orderId": order_id}

        async def call() -> str:
            return str((await self._reader.private_delete_order(parameters))["orderId"])

        return await self._private(call)

    async def cancel_all(self, symbol: str) -> list[str]:
        market = self._markets.symbol(symbol)

        async def call() -> list[str]:
            answer = await self._reader.private_delete_openorders({"symbol": market})
            reports = [report for item in answer for report in item.get("orderReports", [item])]
            return [str(report["orderId"]) for report in reports]

        try:
            return await self._private(call)
        except BrokerError as error:
            if error.details.get("binanceCode") == NOTHING_TO_CANCEL:
                return []
            raise
