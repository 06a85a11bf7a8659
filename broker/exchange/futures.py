"""Binance USDT-M futures, one-way mode."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ..errors import BrokerError
from . import futures_parsing as answers
from .futures_orders import FuturesOrders
from .models import Funding, FuturesAccount, Leverage, Market, Position, RestingOrder, Sent
from .read_errors import hedge_mode, unavailable
from .venue import Venue

CONFIG_MAX_AGE_MS: Final = 5_000
FEE_MAX_AGE_MS: Final = 3_600_000


class Futures(Venue):
    """Account methods raise FUTURES_NOT_PERMITTED if the API key may not use futures."""

    market = Market.FUTURES
    _orders: FuturesOrders

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._hedge_mode: tuple[int, bool] | None = None
        self._fees: dict[str, tuple[int, Decimal]] = {}

    def _make_orders(self) -> FuturesOrders:
        return FuturesOrders(self._executor, self._calls, self._markets, configured=self._configured)

    async def average_price(self, symbol: str) -> Decimal:
        """The mark price."""
        market = self.symbol(symbol)

        async def call() -> Decimal:
            return Decimal((await self._reader.ask("premiumindex", {"symbol": market}))["markPrice"])

        return await self._calls.share(("mark_price", market), call)

    async def funding(self, symbol: str) -> Funding:
        market = self.symbol(symbol)

        async def call() -> Funding:
            premium = await self._reader.ask("premiumindex", {"symbol": market})
            last = await self._reader.ask("fundingrate", {"symbol": market, "limit": 1})
            return answers.funding(premium, last)

        return await self._calls.share(("funding", market), call)

    # The account

    async def account(self) -> FuturesAccount:
        async def call() -> FuturesAccount:
            config = await self._reader.fapiprivate_get_accountconfig()
            return answers.account(await self._reader.fapiprivatev3_get_account(), config)

        return await self._private(call)

    async def positions(self, symbol: str | None = None) -> list[Position]:
        """The open positions, of one symbol or of all."""
        symbol_filter = self._symbol_filter(symbol)

        async def call() -> list[Position]:
            risks = await self._reader.fapiprivatev3_get_positionrisk(symbol_filter)
            open_ones = [risk for risk in risks if Decimal(risk["positionAmt"])]
            if not open_ones:
                return []
            configs = {
                row["symbol"]: row for row in await self._reader.fapiprivate_get_symbolconfig(symbol_filter)
            }
            return [answers.position(risk, answers.leverage(configs[risk["symbol"]])) for risk in open_ones]

        return await self._private(call)

    async def leverage(self, symbol: str) -> Leverage:
        """The current leverage and margin type of the symbol."""
        symbol_filter = self._symbol_filter(symbol)

        async def call() -> Leverage:
            (row,) = await self._reader.fapiprivate_get_symbolconfig(symbol_filter)
            return answers.leverage(row)

        return await self._private(call)

    async def leverages(self) -> Mapping[str, int]:
        """The current leverage of each symbol, by Binance id."""

        async def call() -> Mapping[str, int]:
            rows = await self._reader.fapiprivate_get_symbolconfig()
            return {row["symbol"]: int(row["leverage"]) for row in rows}

        return await self._private(call)

    async def max_leverage(self, symbol: str) -> int:
        """The maximum leverage for this account and symbol."""
        symbol_filter = self._symbol_filter(symbol)

        async def call() -> int:
            answer = await self._reader.fapiprivate_get_leveragebracket(symbol_filter)
            (row,) = answer if isinstance(answer, list) else [answer]
            return max(int(bracket["initialLeverage"]) for bracket in row["brackets"])

        return await self._private(call)

    async def taker_fee(self, symbol: str) -> Decimal:
        """The taker fee as a fraction of the notional, at most an hour old."""
        market = self.symbol(symbol)
        known = self._fees.get(market)
        if known is not None and 0 <= self._time.now_ms() - known[0] < FEE_MAX_AGE_MS:
            return known[1]

        async def call() -> Decimal:
            answer = await self._reader.fapiprivate_get_commissionrate({"symbol": market})
            return Decimal(answer["takerCommissionRate"])

        fee = await self._private(call)
        self._fees[market] = (self._time.now_ms(), fee)
        return fee

    async def hedge_mode(self) -> bool:
        """Whether the account is in hedge mode (long and short at once), at most five seconds old."""
        now = self._time.now_ms()
        known = self._hedge_mode
        if known is not None and 0 <= now - known[0] < CONFIG_MAX_AGE_MS:
            return known[1]

        async def call() -> bool:
            return bool((await self._reader.fapiprivate_get_accountconfig())["dualSidePosition"])

        hedge = await self._private(call)
        self._hedge_mode = (now, hedge)
        return hedge

    async def require_one_way(self) -> None:
        """Raises HEDGE_MODE_UNSUPPORTED if the account is in hedge mode."""
        if await self.hedge_mode():
            raise hedge_mode()

    # Resting orders

    async def open_orders(self, symbol: str | None = None) -> list[RestingOrder]:
        symbol_filter = self._symbol_filter(symbol)

        async def plain() -> list[RestingOrder]:
            return [
                answers.resting(info) for info in await self._reader.fapiprivate_get_openorders(symbol_filter)
            ]

        async def conditional() -> list[RestingOrder]:
            infos = await self._reader.fapiprivate_get_openalgoorders(symbol_filter)
            return [answers.resting_algo(info) for info in infos]

        plain_orders, conditional_orders = await asyncio.gather(
            self._private(plain), self._private(conditional)
        )
        return [*plain_orders, *conditional_orders]

    async def cancel(self, symbol: str, order_id: str, *, conditional: bool = False) -> str:
        market = self.symbol(symbol)

        async def call() -> str:
            if conditional:
                answer = await self._reader.fapiprivate_delete_algoorder({"algoId": order_id})
                return str(answer["algoId"])
            parameters = {"symbol": market, "orderId": order_id}
            return str((await self._reader.fapiprivate_delete_order(parameters))["orderId"])

        return await self._private(call)

    async def cancel_all(self, symbol: str) -> list[str]:
        """Binance returns no ids, so the open orders before and after are compared."""
        symbol_filter = self._symbol_filter(symbol)

        before = await self.open_orders(symbol)
        await self._private(lambda: self._reader.fapiprivate_delete_allopenorders(symbol_filter))
        try:
            await self._private(lambda: self._reader.fapiprivate_delete_algoopenorders(symbol_filter))
        except BrokerError as error:  # not passed on: a refusal would mean that nothing happened
            raise unavailable(
                f"the plain orders are cancelled, the conditional ones may not be: {error.message}"
            ) from None
        remaining = {(order.id, order.conditional) for order in await self.open_orders(symbol)}
        return [order.id for order in before if (order.id, order.conditional) not in remaining]

    # The executor

    async def set_leverage(self, symbol: str, leverage: int, *, timestamp_ms: int) -> Sent:
        """Send the POST once. The result is in `verdict`; Binance and network errors raise nothing."""
        return await self._orders.set_leverage(symbol, leverage, timestamp_ms)

    def _symbol_filter(self, symbol: str | None) -> dict[str, str]:
        return {} if symbol is None else {"symbol": self.symbol(symbol)}
