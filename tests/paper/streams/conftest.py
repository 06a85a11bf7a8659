from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import pytest

from broker.paper import PaperServer
from broker.paper.streams import Pace

from ..support import BTC


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[PaperServer]:
    """In haste. BTC held at 60,000 with 0.1 BTC on every level, on both markets."""
    pace = Pace(slow=0.05, fast=0.05)
    async with PaperServer(tmp_path, seed=7, clock=lambda: datetime.now(UTC), pace=pace) as server:
        server.exchange.pin(BTC, Decimal(60_000))
        server.exchange.set_level_size(BTC, Decimal("0.1"))
        server.futures.pin(BTC, Decimal(60_000))
        server.futures.set_level_size(BTC, Decimal("0.1"))
        yield server


@pytest.fixture
async def binance(server: PaperServer, connect: Callable[[str], Awaitable[Any]]) -> AsyncIterator[Any]:
    """The real client for spot; its numbers are text."""
    client = await connect(server.url)
    address = server.url.replace("http", "ws")
    client.urls["api"]["ws"] = {
        "spot": f"{address}/stream",
        "ws-api": {"spot": f"{address}/ws-api/v3"},
    }
    yield client
    await client.close()


@pytest.fixture
async def usdm(server: PaperServer) -> AsyncIterator[Any]:
    """The real client for USDT-M futures; its numbers are text."""
    client = ccxt.pro.binanceusdm(
        {
            "apiKey": "paper-key",
            "secret": "paper-secret",
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    client.urls["api"] = {
        f"fapi{access}{version}": f"{server.url}/fapi/{version.lower() or 'v1'}"
        for access in ("Public", "Private")
        for version in ("", "V2", "V3")
    }
    client.urls["api"]["ws"] = {"linear": f"{server.url.replace('http', 'ws')}/ws"}
    client.number = str
    client.timeout_on_exit = 0
    await client.load_markets()
    yield client
    await client.close()
