from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import httpx2
import pytest

from broker.paper import Exchange, PaperServer
from broker.paper.market.store import Store

from .support import BTC, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(clock: Clock) -> Iterator[Exchange]:
    """In memory; BTC held at 60,000 with 0.1 BTC on every level."""
    store = Store(None)
    exchange = Exchange(store, seed=7, clock=clock)
    exchange.pin(BTC, Decimal(60_000))
    exchange.set_level_size(BTC, Decimal("0.1"))
    yield exchange
    store.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PaperServer]:
    """BTC held at 60,000 with 0.1 BTC on every level."""
    async with PaperServer(tmp_path, seed=7, clock=lambda: datetime.now(UTC)) as server:
        server.exchange.pin(BTC, Decimal(60_000))
        server.exchange.set_level_size(BTC, Decimal("0.1"))
        yield server


@pytest.fixture
async def control(server: PaperServer) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=f"{server.url}/control") as client:
        yield client


@pytest.fixture
async def binance(server: PaperServer) -> AsyncIterator[Any]:
    client = await _connected(server.url)
    yield client
    await client.close()


@pytest.fixture
def connect() -> Callable[[str], Awaitable[Any]]:
    """For servers that are processes of their own; the test closes what it connects."""
    return _connected


async def _connected(url: str) -> Any:
    """The real client, without its own pacing."""
    client = _Loopback(
        {
            "apiKey": "paper-key",
            "secret": "paper-secret",
            "enableRateLimit": False,
            "timeout": 2_000,
            "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
        }
    )
    client.urls["api"] = {"public": f"{url}/api/v3", "private": f"{url}/api/v3", "sapi": f"{url}/sapi/v1"}
    client.number = str
    client.timeout_on_exit = 0
    await client.load_markets()
    return client


class _Loopback(ccxt.pro.binance):  # type: ignore[misc]
    """ccxt chooses its table of errors by the official address."""

    def get_exceptions_by_url(self, url: str, exact_or_broad: str) -> Any:
        return super().get_exceptions_by_url("https://api.binance.com/", exact_or_broad)
