"""What several tests of the exchange need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2

from broker.clock import utc_now
from broker.exchange import Exchange, OrderRequest, Sent
from broker.settings import Settings

BUY = OrderRequest("BTCUSDT", "buy", "market", Decimal("0.015"), None)
REST = OrderRequest("BTCUSDT", "buy", "limit", Decimal("0.015"), Decimal("50000.1"))

ORDER = "/api/v3/order"
USER_STREAM = "userData"


class Control:
    """The paper exchange's control surface: the truth that verdicts are held against."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def do(self, what: str, **arguments: Any) -> Any:
        answer = await self._client.post(what, json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def orders(self, client_order_id: str | None = None) -> list[dict[str, Any]]:
        orders: list[dict[str, Any]] = (await self._client.get("orders")).json()["orders"]
        return [order for order in orders if client_order_id in (None, order["clientOrderId"])]

    async def held(self, count: int = 1) -> None:
        """Waits until so many requests are held."""
        assert len((await self._client.get("held", params={"count": count})).json()["held"]) == count

    async def streams(self, count: int) -> bool:
        """Whether so many streams are subscribed to, those of users apart."""
        listed = (await self._client.get("streams")).json()["subscriptions"]
        return len([entry for entry in listed if entry["stream"] != USER_STREAM]) == count

    async def user_streams(self, markets: set[str]) -> bool:
        """Whether the account's own stream is subscribed to in these markets and no other."""
        listed = (await self._client.get("streams")).json()["subscriptions"]
        return {entry["market"] for entry in listed if entry["stream"] == USER_STREAM} == markets

    async def requests(self, method: str, path: str) -> list[dict[str, Any]]:
        logged = await self.all_requests()
        return [entry for entry in logged if (entry["method"], entry["path"]) == (method, path)]

    async def all_requests(self) -> list[dict[str, Any]]:
        logged: list[dict[str, Any]] = (await self._client.get("requests")).json()["requests"]
        return logged


@asynccontextmanager
async def started(settings: Settings, url: str, **more: Any) -> AsyncIterator[Exchange]:
    arguments: dict[str, Any] = {"clock": utc_now, "cache_folder": None, **more}
    exchange = Exchange(settings, paper_url=url, **arguments)
    await exchange.start()
    try:
        yield exchange
    finally:
        await exchange.close()


@asynccontextmanager
async def connected(settings: Settings, url: str, **more: Any) -> AsyncIterator[Exchange]:
    async with started(settings, url, **more) as exchange:
        async with asyncio.timeout(10):
            await exchange.until_ready()
            await exchange.futures.until_ready()
        yield exchange


async def submit(exchange: Exchange, order: OrderRequest, client_order_id: str = "cb-1") -> Sent:
    venue = exchange.on(order.market)
    now = await venue.server_time_ms()
    return await venue.submit(order, client_order_id=client_order_id, timestamp_ms=now)


async def until(found: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    """What `found` comes to, as soon as it is something."""
    async with asyncio.timeout(seconds):
        while True:
            if answer := await found():
                return answer
            await asyncio.sleep(0.02)
