import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker.paper import Exchange, PaperServer, build_app

from .support import BTC, new_order

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("client", "status"), [("127.0.0.1", 200), ("::1", 200), ("192.0.2.1", 403), ("10.0.0.8", 403)]
)
async def test_only_this_machine_is_answered(exchange: Exchange, client: str, status: int) -> None:
    transport = httpx2.ASGITransport(build_app(exchange), client=(client, 1234))
    async with httpx2.AsyncClient(transport=transport, base_url="http://paper") as http:
        assert (await http.get("/api/v3/ping")).status_code == status
        assert (await http.get("/control/orders")).status_code == status


async def test_it_listens_on_loopback_alone(server: PaperServer) -> None:
    assert server.url.startswith("http://127.0.0.1:")


async def test_it_stops_at_once_though_requests_hang_and_are_held(tmp_path: Path) -> None:
    async with PaperServer(tmp_path, seed=7, clock=lambda: datetime.now(UTC)) as server:
        client = httpx2.AsyncClient(base_url=server.url)
        asked = []
        for path, do in (("/api/v3/time", "hang"), ("/api/v3/ping", "hold")):
            fault = {"path": path, "when": "received", "do": do}
            await client.post("/control/fault", json=fault)
            asked.append(asyncio.create_task(client.get(path, timeout=30)))
        await client.get("/control/held", params={"count": 1})
        loop = asyncio.get_running_loop()
        began = loop.time()
    assert loop.time() - began < 5
    answers: list[Any] = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(answer, httpx2.RemoteProtocolError) for answer in answers)
    await client.aclose()


async def test_resting_orders_fill_by_themselves(tmp_path: Path) -> None:
    matching = asyncio.Event()

    def clock() -> datetime:
        matching.set()
        return datetime.now(UTC)

    async with PaperServer(tmp_path, seed=7, clock=clock) as server:
        server.exchange.pin(BTC, Decimal(60_000))
        order, _ = server.exchange.place(new_order(price="59000"))
        server.exchange.market(BTC).hold(Decimal(58_900), server.exchange.now)
        matching.clear()
        await asyncio.wait_for(matching.wait(), 10)
        assert order.status == "FILLED"
