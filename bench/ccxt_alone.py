"""ccxt as it comes, on the paper exchange: no throttle, no checks, connections kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

SYMBOL = "BTCUSDT"
OPTIONS = {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}}


class Ccxt:
    def __init__(self, client: Any) -> None:
        self._client = client

    async def ticker(self) -> None:
        await self._client.fetch_ticker(SYMBOL)

    async def reads_of_checks(self) -> None:
        """What the checks of an order need, at the same time, as the broker reads it.

        The broker's fourth read, all prices, is shared for a second and so left out here.
        """
        await asyncio.gather(
            self._client.public_get_depth({"symbol": SYMBOL, "limit": 100}),
            self._client.private_get_account({"omitZeroBalances": "true"}),
            self._client.public_get_avgprice({"symbol": SYMBOL}),
        )

    async def order(self, amount: str) -> None:
        await self._client.create_order(SYMBOL, "market", "buy", amount)


@asynccontextmanager
async def ccxt_alone(url: str) -> AsyncIterator[Ccxt]:
    keys = {"apiKey": "paper-key", "secret": "paper-secret"}
    client = ccxt.pro.binance({**keys, "enableRateLimit": False, "options": OPTIONS})
    client.timeout_on_exit = 0
    client.urls["api"] = {section: f"{url}/api/v3" for section in ("public", "private")}
    try:
        await client.load_markets()
        yield Ccxt(client)
    finally:
        await client.close()
