"""What becomes of connections: cut, silenced, too slow, shut down, refused."""

import asyncio
import json
import socket
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from broker.paper import Exchange, PaperServer, build_app
from broker.paper.streams import peer

from ..support import BTC, new_order
from .support import address, connected, subscribed

pytestmark = pytest.mark.anyio


async def test_connections_are_cut_and_can_be_made_anew(
    server: PaperServer, control: httpx2.AsyncClient, binance: Any
) -> None:
    async def watch_on() -> None:
        while True:
            await binance.watch_ticker("BTC/USDT")

    await binance.watch_ticker("BTC/USDT")
    await binance.authenticate({"type": "spot"})
    watching = [asyncio.ensure_future(watch) for watch in (watch_on(), binance.watch_orders())]
    await asyncio.sleep(0)
    assert (await control.post("/streams", json={"close": True})).json() == {"closed": 2, "paused": False}
    for watch in watching:
        with pytest.raises(ccxt.NetworkError):
            await asyncio.wait_for(watch, 10)
    assert (await binance.watch_ticker("BTC/USDT"))["last"] == "60000.00000000"
    await binance.authenticate({"type": "spot"})
    orders = asyncio.ensure_future(binance.watch_orders())
    await asyncio.sleep(0)
    server.exchange.place(new_order(price="50000", client_id="after"))
    assert (await orders)[-1]["clientOrderId"] == "after"


async def test_silent_connections_stay_open(server: PaperServer, control: httpx2.AsyncClient) -> None:
    async with (
        connected(server, "/ws/btcusdt@miniTicker") as market,
        connected(server, "/ws-api/v3") as account,
    ):
        await subscribed(account)
        await market.event()
        assert (await control.post("/streams", json={"pause": True})).json()["paused"] is True
        server.exchange.place(new_order(price="50000"))
        assert await account.is_silent()
        await market.ask({"method": "LIST_SUBSCRIPTIONS", "id": 1})
        market.forget()
        assert await market.is_silent()
        await control.post("/streams", json={"pause": False})
        assert (await market.event())["s"] == "BTCUSDT"
        server.exchange.place(new_order(price="50000", client_id="heard"))
        assert (await account.event())["event"]["c"] == "heard"


async def test_a_kept_book_outlives_a_silence(
    server: PaperServer, control: httpx2.AsyncClient, binance: Any
) -> None:
    await binance.watch_order_book("BTC/USDT")
    await control.post("/streams", json={"pause": True})
    server.exchange.place(new_order(kind="MARKET", quantity="0.25"))
    await asyncio.sleep(0.6)  # two slots of the market
    await control.post("/streams", json={"pause": False})
    book = await binance.watch_order_book("BTC/USDT")
    while book["asks"][0][0] < 60_001:
        book = await binance.watch_order_book("BTC/USDT")
    assert book["asks"] == (await binance.fetch_order_book("BTC/USDT", 1000))["asks"]


@pytest.mark.parametrize("body", [{}, {"close": False}, {"pause": 1}, {"open": True}])
async def test_what_makes_no_sense_is_refused(control: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    answer = await control.post("/streams", json=body)
    assert answer.status_code == 400 and answer.json()["error"]


async def test_who_does_not_read_is_cut_off(server: PaperServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "MAX_QUEUED", 20)
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(
            narrow, ("127.0.0.1", int(server.url.rpartition(":")[2]))
        )
        async with connect(address(server, "/ws"), sock=narrow, compression=None, max_queue=1) as slow:
            ask = {
                "method": "SUBSCRIBE",
                "params": ["ethusdt@depth", "solusdt@depth", "bnbusdt@depth"],
                "id": 1,
            }
            await slow.send(json.dumps(ask))
            async with (
                asyncio.timeout(15),  # before a missing pong would end it
                connected(server, "/ws/ethusdt@miniTicker") as other,
                httpx2.AsyncClient() as http,
            ):
                while len((await http.get(f"{server.url}/control/streams")).json()["subscriptions"]) > 1:
                    await other.event()
            with pytest.raises(ConnectionClosed):
                while True:
                    await slow.recv()


async def test_a_server_that_stops_closes_all_at_once(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with PaperServer(tmp_path, seed=7, clock=lambda: datetime.now(UTC)) as server:
        server.exchange.pin(BTC, Decimal(60_000))
        connections = [
            await connect(address(server, path), proxy=None)
            for path in ("/ws/btcusdt@trade", "/stream/0", "/ws-api/v3")
        ]
        began = loop.time()
    assert loop.time() - began < 2
    for connection in connections:
        await asyncio.wait_for(connection.wait_closed(), 1)
        await connection.close()


@pytest.mark.parametrize(
    "path", ["/", "/elsewhere", "/api/v3/time", "/control/streams", "/private/ws?listenKey=no"]
)
async def test_other_addresses_are_refused(server: PaperServer, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(server, path), proxy=None)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("client", "answer"), [("127.0.0.1", "accept"), ("192.0.2.1", "close"), ("10.0.0.8", "close")]
)
async def test_only_this_machine_is_answered(exchange: Exchange, client: str, answer: str) -> None:
    incoming = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}]
    sent: list[str] = []

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {
        "type": "websocket",
        "path": "/ws-api/v3",
        "raw_path": b"/ws-api/v3",
        "query_string": b"",
        "headers": [],
        "client": (client, 1234),
    }
    await build_app(exchange)(scope, receive, send)
    assert sent[0] == f"websocket.{answer}"
