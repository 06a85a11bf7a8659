"""The account's news of futures, by the real client."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt.pro
import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from broker.paper import PaperServer
from broker.paper.streams import Pace

from ..futures.support import new_algo, new_order
from ..support import BTC, Clock
from .support import address, connected, news_of

pytestmark = pytest.mark.anyio
SYMBOL = "BTC/USDT:USDT"


@pytest.fixture
async def watched(usdm: Any, control: httpx2.AsyncClient) -> AsyncIterator[Any]:
    """Is connected before anything happens."""
    usdm.newUpdates = True
    watching = asyncio.ensure_future(usdm.watch_balance())
    while not (await control.get("/streams")).json()["subscriptions"]:
        pass
    yield usdm
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


async def test_an_order_is_told_of_from_placing_to_filling(watched: Any, server: PaperServer) -> None:
    placing = watched.create_order(SYMBOL, "limit", "buy", "0.25", "59000", {"clientOrderId": "mine"})
    (order,) = await news_of(watched.watch_orders(SYMBOL), placing)
    assert (order["clientOrderId"], order["status"], order["filled"]) == ("mine", "open", "0")

    async def price(price: str) -> None:
        server.futures.pin(BTC, Decimal(price))

    (order,) = await news_of(watched.watch_orders(SYMBOL), price("58999.9"))
    filled = Decimal(order["filled"])
    assert order["status"] == "open" and 0 < filled < Decimal("0.25")
    (order,) = await news_of(watched.watch_orders(SYMBOL), price("58500"))
    assert (order["status"], order["filled"], order["average"]) == ("closed", "0.25", "59000")
    assert sum(Decimal(trade["amount"]) for trade in order["trades"]) == Decimal("0.25")
    assert {trade["takerOrMaker"] for trade in order["trades"]} == {"maker"}
    fees = sum(Decimal(trade["fee"]["cost"]) for trade in order["trades"])
    assert fees == Decimal("0.25") * 59_000 * Decimal("0.0002")


async def test_a_cancelled_order(watched: Any) -> None:
    placing = watched.create_order(SYMBOL, "limit", "buy", "0.01", "58000", {"clientOrderId": "mine"})
    (placed,) = await news_of(watched.watch_orders(), placing)
    (order,) = await news_of(watched.watch_orders(), watched.cancel_order(placed["id"], SYMBOL))
    assert (order["id"], order["clientOrderId"], order["status"]) == (placed["id"], "mine", "canceled")


async def test_positions_and_balances_are_told_when_they_change(watched: Any) -> None:
    buying = watched.create_order(SYMBOL, "market", "buy", "0.05")
    balances = asyncio.ensure_future(watched.watch_balance())
    (position,) = await news_of(watched.watch_positions([SYMBOL]), buying)
    (fetched,) = await watched.fetch_positions([SYMBOL])
    for name in ("side", "contracts", "marginMode"):
        assert position[name] == fetched[name], name
    for name in ("entryPrice", "unrealizedPnl"):
        assert Decimal(position[name]) == Decimal(fetched[name]), name
    fee = Decimal("0.05") * Decimal("60000.1") * Decimal("0.0005")
    assert Decimal((await balances)["USDT"]["total"]) == 100_000 - fee


async def test_a_conditional_order_and_the_order_that_it_places(watched: Any, server: PaperServer) -> None:
    server.futures.place(new_order(quantity="0.05"))
    placing = watched.create_order(
        SYMBOL, "market", "sell", "0.05", None, {"stopLossPrice": "59000", "clientOrderId": "stop"}
    )
    await news_of(watched.watch_orders(), placing)
    while "stop" not in (told := {order["clientOrderId"]: order for order in watched.orders}):
        await watched.watch_orders()
    assert (told["stop"]["status"], told["stop"]["triggerPrice"]) == ("open", "59000")
    server.futures.pin(BTC, Decimal(58_900))
    while told["stop"]["status"] == "open" or told["stop"]["info"]["X"] != "FINISHED":
        await watched.watch_orders()
        told = {order["clientOrderId"]: order for order in watched.orders}
    placed = server.futures.algos.find(None, "stop").order_id
    assert told["stop"]["info"]["ai"] == str(placed)
    (order,) = [order for order in watched.orders if order["id"] == str(placed)]
    assert (order["status"], order["side"], order["filled"]) == ("closed", "sell", "0.05")


EVENTS = {
    "ORDER_TRADE_UPDATE": {"e", "E", "T", "o"},
    "ACCOUNT_UPDATE": {"e", "E", "T", "a"},
    "ALGO_UPDATE": {"e", "E", "T", "o"},
    "ACCOUNT_CONFIG_UPDATE": {"e", "E", "T", "ac"},
}
ORDER = set("s c S o f q p ap sp x X i l z L N n T t b a m R wt ot ps cp pP si ss rp V pm gtd er".split())
ALGO = set("caid aid at o s S ps f q X ai tp p V wt pm cp pP R tt gtd".split())
POSITION = set("s pa ep bep cr up mt iw ps ma".split())
"""By Binance's "User Data Streams" of USDⓈ-M futures."""


async def listen_key(server: PaperServer) -> str:
    async with httpx2.AsyncClient(base_url=server.url) as http:
        answer = await http.post("/fapi/v1/listenKey", headers={"X-MBX-APIKEY": "paper-key"})
    return str(answer.json()["listenKey"])


async def test_events_have_every_documented_field(server: PaperServer) -> None:
    async with connected(server, f"/private/ws?listenKey={await listen_key(server)}") as client:
        server.futures.set_leverage(BTC, 10)
        server.futures.place(new_order(quantity="0.25"))
        server.futures.algos.place(new_algo(close=True))
        events = [await client.event()]
        while events[-1]["e"] != "ALGO_UPDATE":
            events.append(await client.event())
    kinds = [event["e"] for event in events]
    assert kinds[0] == "ACCOUNT_CONFIG_UPDATE" and events[0]["ac"] == {"s": BTC, "l": 10}
    assert set(kinds) == set(EVENTS)
    assert all(event.keys() == EVENTS[event["e"]] for event in events)
    orders = [event["o"] for event in events if event["e"] == "ORDER_TRADE_UPDATE"]
    assert all(order.keys() == ORDER for order in orders)
    assert [(order["x"], order["X"]) for order in orders][:1] == [("NEW", "NEW")]
    algos = [event["o"] for event in events if event["e"] == "ALGO_UPDATE"]
    assert all(algo.keys() == ALGO for algo in algos)
    accounts = [event["a"] for event in events if event["e"] == "ACCOUNT_UPDATE"]
    assert all(position.keys() == POSITION for account in accounts for position in account["P"])
    assert all(account["m"] == "ORDER" for account in accounts)


async def test_only_the_wanted_events(server: PaperServer) -> None:
    path = f"/private/ws/{await listen_key(server)}?events=ORDER_TRADE_UPDATE/ALGO_UPDATE"
    async with connected(server, path) as client:
        server.futures.set_leverage(BTC, 10)
        server.futures.place(new_order(kind="LIMIT", price="59000"))
        assert (await client.event())["e"] == "ORDER_TRADE_UPDATE"


@pytest.mark.parametrize("path", ["/private/ws", "/private/ws?listenKey=unknown", "/private/ws/unknown"])
async def test_an_unknown_listen_key_is_refused(server: PaperServer, path: str) -> None:
    await listen_key(server)
    with pytest.raises(InvalidStatus) as refused:
        await connect(address(server, path), proxy=None)
    assert refused.value.response.status_code == 403


async def test_a_listen_key_that_expires_is_told_and_nothing_after_it(tmp_path: Path) -> None:
    clock = Clock()
    async with PaperServer(tmp_path, seed=7, clock=clock, pace=Pace(slow=0.05)) as server:
        key = await listen_key(server)
        async with connected(server, f"/private/ws?listenKey={key}") as client:
            server.futures.set_leverage(BTC, 10)
            assert (await client.event())["e"] == "ACCOUNT_CONFIG_UPDATE"
            clock.advance(seconds=3_601)
            server.futures.set_leverage(BTC, 5)
            expired = await client.event()
            assert (expired["e"], expired["listenKey"]) == ("listenKeyExpired", key)
            server.futures.set_leverage(BTC, 4)
            assert await client.is_silent()


async def test_connections_are_cut_and_can_be_made_anew(watched: Any, control: httpx2.AsyncClient) -> None:
    orders = asyncio.ensure_future(watched.watch_orders())
    await asyncio.sleep(0)
    await control.post("/streams", json={"close": True})
    with pytest.raises(ccxt.NetworkError):
        await asyncio.wait_for(orders, 10)
    assert (await control.get("/streams")).json()["subscriptions"] == []
    watching = asyncio.ensure_future(watched.watch_orders())
    while watching not in (await asyncio.wait([watching], timeout=0.05))[0]:
        order = await watched.create_order(SYMBOL, "limit", "buy", "0.01", "58000")
    assert (await watching)[-1]["id"] <= order["id"]
