from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.async_support
import pytest

from broker.paper import PaperServer
from broker.paper.futures import FuturesExchange
from broker.paper.market.store import Store

from ..support import Clock
from .support import BTC


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(None)
    yield store
    store.close()


@pytest.fixture
def futures(store: Store, clock: Clock) -> FuturesExchange:
    """In memory; BTC held at 60,000 with 1 BTC on every level."""
    exchange = FuturesExchange(store, seed=7, clock=lambda: int(clock().timestamp() * 1000))
    exchange.pin(BTC, Decimal(60_000))
    exchange.set_level_size(BTC, Decimal(1))
    return exchange


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PaperServer]:
    """BTC held at 60,000 with 1 BTC on every level, on futures."""
    async with PaperServer(tmp_path, seed=7, clock=lambda: datetime.now(UTC)) as server:
        server.futures.pin(BTC, Decimal(60_000))
        server.futures.set_level_size(BTC, Decimal(1))
        yield server


@pytest.fixture
async def binance(server: PaperServer) -> AsyncIterator[Any]:
    """The real client, without its own pacing."""
    client = _Loopback(
        {
            "apiKey": "paper-key",
            "secret": "paper-secret",
            "enableRateLimit": False,
            "timeout": 2_000,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    client.urls["api"] = {
        f"fapi{access}{version}": f"{server.url}/fapi/{version.lower() or 'v1'}"
        for access in ("Public", "Private")
        for version in ("", "V2", "V3")
    }
    client.number = str
    client.timeout_on_exit = 0
    await client.load_markets()
    yield client
    await client.close()


class _Loopback(ccxt.async_support.binanceusdm):  # type: ignore[misc]
    """ccxt chooses its table of errors by the official address."""

    def get_exceptions_by_url(self, url: str, exact_or_broad: str) -> Any:
        return super().get_exceptions_by_url("https://fapi.binance.com/", exact_or_broad)
