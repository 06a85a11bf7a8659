"""The account's news of spot, by the real client."""

from decimal import Decimal
from typing import Any

import httpx2
import pytest

from broker.paper import PaperServer

from ..support import BTC, new_order
from .support import Client, connected, news_of, subscribed

pytestmark = pytest.mark.anyio
SYMBOL = "BTC/USDT"


@pytest.fixture
async def watched(binance: Any) -> Any:
    """Is subscribed before anything happens."""
    await binance.authenticate({"type": "spot"})
    binance.newUpdates = True
    return binance


async def test_an_order_is_told_of_from_placing_to_filling(watched: Any, server: PaperServer) -> None:
    placing = watched.create_order(SYMBOL, "limit", "buy", "0.25", "59000", {"clientOrderId": "mine"})
    (order,) = await news_of(watched.watch_orders(SYMBOL), placing)
    assert (order["clientOrderId"], order["status"], order["filled"]) == ("mine", "open", "0.00000000")

    async def price(price: str) -> None:
        server.exchange.pin(BTC, Decimal(price))

    (order,) = await news_of(watched.watch_orders(SYMBOL), price("58999.99"))
    filled = Decimal(order["filled"])
    assert order["status"] == "open" and 0 < filled < Decimal("0.25")
    assert Decimal(order["remaining"]) == Decimal("0.25") - filled
    (order,) = await news_of(watched.watch_orders(SYMBOL), price("58000"))
    assert (order["status"], order["filled"]) == ("closed", "0.25000000")
    assert Decimal(order["cost"]) == Decimal("0.25") * 59_000
    assert sum(Decimal(trade["amount"]) for trade in order["trades"]) == Decimal("0.25")
    assert {trade["takerOrMaker"] for trade in order["trades"]} == {"maker"}


async def test_a_cancelled_order_keeps_its_client_id(watched: Any) -> None:
    placing = watched.create_order(SYMBOL, "limit", "buy", "0.01", "50000", {"clientOrderId": "mine"})
    (placed,) = await news_of(watched.watch_orders(), placing)
    (order,) = await news_of(watched.watch_orders(), watched.cancel_order(placed["id"], SYMBOL))
    assert (order["id"], order["clientOrderId"], order["status"]) == (placed["id"], "mine", "canceled")


async def test_my_trades_are_told_with_their_fees(watched: Any) -> None:
    buying = watched.create_order(SYMBOL, "market", "buy", "0.15")
    trades = await news_of(watched.watch_my_trades(SYMBOL), buying)
    fetched = await watched.fetch_my_trades(SYMBOL)
    while len(watched.myTrades) < len(fetched):
        await watched.watch_my_trades(SYMBOL)
    assert trades
    told = [(t["id"], t["price"], t["amount"], t["fee"]["cost"]) for t in watched.myTrades]
    assert told == [(t["id"], t["price"], t["amount"], t["fee"]["cost"]) for t in fetched]


async def test_balances_are_told_when_they_change(watched: Any, control: httpx2.AsyncClient) -> None:
    placing = watched.create_order(SYMBOL, "limit", "buy", "0.1", "50000")
    balance = await news_of(watched.watch_balance(), placing)
    assert (balance["USDT"]["free"], balance["USDT"]["used"]) == ("95000.00000000", "5000.00000000")
    assert "ETH" not in balance
    await control.post("/balance", json={"asset": "ETH", "free": "2"})
    while watched.balance["spot"].get("ETH", {}).get("used") is None:
        await watched.watch_balance()
    fetched = await watched.fetch_balance()
    for asset in ("USDT", "ETH"):
        assert Decimal(watched.balance["spot"][asset]["free"]) == Decimal(fetched[asset]["free"]), asset
        assert Decimal(watched.balance["spot"][asset]["used"]) == Decimal(fetched[asset]["used"]), asset


REPORT = set("e E s c S o f q p P F g C x X r i l z L n N T t I w m M O Z Y Q W V".split())
"""By user-data-stream.md; without what only some kinds of orders have."""


async def reports(client: Client, count: int) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    while len(told) < count:
        event = (await client.event())["event"]
        told += [event] if event["e"] == "executionReport" else []
    return told


async def test_each_thing_that_happens_is_a_report_of_its_own(server: PaperServer) -> None:
    async with connected(server, "/ws-api/v3") as client:
        await subscribed(client)
        order, trades = server.exchange.place(new_order(kind="MARKET", quantity="0.25"))
        told = await reports(client, 4)
        position = (await client.event())["event"]
    assert [report["x"] for report in told] == ["NEW", "TRADE", "TRADE", "TRADE"]
    assert [report["X"] for report in told] == ["NEW", "PARTIALLY_FILLED", "PARTIALLY_FILLED", "FILLED"]
    assert [report["z"] for report in told] == ["0.00000000", "0.10000000", "0.20000000", "0.25000000"]
    assert [report["t"] for report in told] == [-1, *(trade.id for trade in trades)]
    assert [Decimal(report["n"]) for report in told[1:]] == [trade.commission for trade in trades]
    assert Decimal(told[-1]["Z"]) == order.quote_executed
    assert all(report.keys() == REPORT for report in told)
    assert len({report["I"] for report in told}) == 4
    assert position.keys() == {"e", "E", "u", "B"}
    balances = {balance["a"]: balance for balance in position["B"]}
    assert balances.keys() == {"BTC", "USDT"}
    assert Decimal(balances["BTC"]["f"]) == server.exchange.account.balance("BTC").free


async def test_what_ends_an_order_is_told(server: PaperServer) -> None:
    exchange = server.exchange
    async with connected(server, "/ws-api/v3") as client:
        await subscribed(client)
        exchange.place(new_order(price="60000.01", quantity="0.3", force="IOC"))
        assert [report["x"] for report in await reports(client, 3)] == ["NEW", "TRADE", "EXPIRED"]
        order, _ = exchange.place(new_order(price="50000", client_id="first"))
        exchange.cancel(BTC, order.id, None, cancel_id="second")
        placed, canceled = await reports(client, 2)
        assert (placed["c"], placed["C"]) == ("first", "")
        assert (canceled["x"], canceled["c"], canceled["C"]) == ("CANCELED", "second", "first")


async def test_a_stop_is_new_once_more_when_it_is_triggered(server: PaperServer) -> None:
    exchange = server.exchange
    async with connected(server, "/ws-api/v3") as client:
        await subscribed(client)
        exchange.place(new_order(kind="STOP_LOSS_LIMIT", price="61000", stop="60500"))
        (placed,) = await reports(client, 1)
        exchange.pin(BTC, Decimal(60_500))
        triggered, filled = await reports(client, 2)
    assert placed.keys() == REPORT - {"W"} and not placed["w"]
    assert (triggered["x"], triggered["X"], triggered["w"]) == ("NEW", "NEW", True)
    assert (filled["x"], filled["X"], filled["L"]) == ("TRADE", "FILLED", "60500.01000000")


async def test_a_deposit_is_told_before_the_balance_that_holds_it(server: PaperServer) -> None:
    async with connected(server, "/ws-api/v3") as client:
        await subscribed(client)
        server.exchange.set_free("USDT", Decimal(90_000))
        update, position = (await client.event())["event"], (await client.event())["event"]
    assert (update["e"], update["a"], update["d"]) == ("balanceUpdate", "USDT", "-10000.00000000")
    assert update.keys() == {"e", "E", "a", "d", "T"}
    assert position["B"] == [{"a": "USDT", "f": "90000.00000000", "l": "0.00000000"}]
