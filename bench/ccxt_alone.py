"""Plain ccxt on the paper exchange: no throttle, no checks, persistent connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import ccxt.pro

SYMBOL = "BTCUSDT"
FUTURES_SYMBOL = "BTC/USDT:USDT"
OPTIONS = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchMarkets": {"types": ["spot"]},
    "fetchOpenOrders": {"warnWithoutSymbol": False},
}
FUTURES_OPTIONS = OPTIONS | {"fetchMarkets": {"types": ["linear"]}}


class Ccxt:
    def __init__(self, spot: Any, futures: Any) -> None:
        self._client = spot
        self._clients: Mapping[str, Any] = {"spot": spot, "futures": futures}

    async def call(self, market: str, method: str, arguments: Sequence[Any]) -> None:
        await getattr(self._clients[market], method)(*arguments)

    async def ticker(self) -> None:
        await self._client.fetch_ticker(SYMBOL)

    async def reads_of_checks(self) -> None:
        """Make the reads that the checks of an order need, concurrently like the broker.

        The broker's fourth read, all prices, is missing here: the broker caches it for a second.
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
    spot = _client(ccxt.pro.binance, OPTIONS, {name: f"{url}/api/v3" for name in ("public", "private")})
    versions = {"": 1, "V2": 2, "V3": 3}
    sections = {
        f"fapi{who}{version}": f"{url}/fapi/v{number}"
        for who in ("Public", "Private")
        for version, number in versions.items()
    }
    futures = _client(ccxt.pro.binanceusdm, FUTURES_OPTIONS, sections)
    try:
        await asyncio.gather(spot.load_markets(), futures.load_markets())
        yield Ccxt(spot, futures)
    finally:
        await spot.close()
        await futures.close()


def _client(kind: Any, options: Mapping[str, Any], sections: Mapping[str, str]) -> Any:
    keys = {"apiKey": "paper-key", "secret": "paper-secret"}
    client = kind({**keys, "enableRateLimit": False, "options": dict(options)})
    client.timeout_on_exit = 0
    client.urls["api"] = dict(sections)
    return client
