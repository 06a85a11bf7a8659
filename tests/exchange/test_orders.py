"""Submitting and looking up, through the real ccxt, against the paper exchange."""

from __future__ import annotations

import asyncio
import decimal
from decimal import Decimal
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.exchange import Exchange, OrderRequest, Verdict
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import BUY, ORDER, REST, Control, connected, submit, until
from .tap import tapping

pytestmark = pytest.mark.anyio

D = Decimal


async def wire_of(control: Control) -> dict[str, str]:
    (request,) = await control.requests("POST", ORDER)
    params: dict[str, str] = request["params"]
    assert len(params.pop("signature")) == 64
    return params


async def test_a_market_order_goes_out_exactly_as_asked(exchange: Exchange, control: Control) -> None:
    now = await exchange.spot.server_time_ms()
    sent = await exchange.spot.submit(BUY, client_order_id="cb-market", timestamp_ms=now)
    assert sent.verdict is Verdict.PLACED
    assert await wire_of(control) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "MARKET",
        "quantity": "0.015",
        "newClientOrderId": "cb-market",
        "newOrderRespType": "FULL",
        "timestamp": str(now),
        "recvWindow": "5000",
    }


async def test_a_limit_order_goes_out_exactly_as_asked(exchange: Exchange, control: Control) -> None:
    now = await exchange.spot.server_time_ms()
    sent = await exchange.spot.submit(REST, client_order_id="cb-limit", timestamp_ms=now)
    assert sent.verdict is Verdict.PLACED
    assert await wire_of(control) == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.015",
        "price": "50000.1",
        "newClientOrderId": "cb-limit",
        "newOrderRespType": "FULL",
        "timestamp": str(now),
        "recvWindow": "5000",
    }


STOPS = [
    ("stop_loss", None, {"type": "STOP_LOSS"}),
    ("stop_loss", "57900", {"type": "STOP_LOSS_LIMIT", "price": "57900", "timeInForce": "GTC"}),
    ("take_profit", None, {"type": "TAKE_PROFIT"}),
    ("take_profit", "66100", {"type": "TAKE_PROFIT_LIMIT", "price": "66100", "timeInForce": "GTC"}),
]


@pytest.mark.parametrize(("kind", "price", "wire"), STOPS)
async def test_an_order_with_a_trigger_goes_out_exactly_as_asked(
    exchange: Exchange, control: Control, kind: Any, price: str | None, wire: dict[str, str]
) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    assert (await submit(exchange, BUY, "cb-buy")).verdict is Verdict.PLACED
    limit, trigger = None if price is None else D(price), D(58000 if kind == "stop_loss" else 66000)
    order = OrderRequest("BTCUSDT", "sell", kind, D("0.01"), limit, trigger)
    sent = await submit(exchange, order, "cb-stop")
    assert sent.verdict is Verdict.PLACED, sent
    params = (await control.requests("POST", ORDER))[-1]["params"]
    del params["signature"], params["timestamp"]
    assert params == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.01",
        "stopPrice": str(trigger),
        "newClientOrderId": "cb-stop",
        "newOrderRespType": "FULL",
        "recvWindow": "5000",
        **wire,
    }
    assert sent.order is not None
    assert (sent.order.status, sent.order.filled) == ("open", D(0))
    (resting,) = await exchange.spot.open_orders("BTCUSDT")
    assert (resting.stop_price, resting.price, resting.type) == (trigger, limit, wire["type"].lower())
    assert (resting.protective, resting.conditional, resting.remaining) == (True, False, D("0.01"))


async def test_fees_of_an_order_that_was_looked_up_come_from_its_trades(exchange: Exchange) -> None:
    sent = (await submit(exchange, BUY, "cb-1")).order
    found = await exchange.spot.look_up("BTCUSDT", "cb-1")
    assert sent is not None
    assert found is not None
    assert found.fees == ()
    told = await exchange.spot.with_trades(found)
    assert (told.fees, told.realized) == (sent.fees, None)
    assert await exchange.spot.with_trades(told) is told


async def test_a_filled_order_comes_with_its_fills_and_fees(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    await control.do("liquidity", symbol="BTCUSDT", qtyPerLevel="0.01")
    book = await exchange.spot.book("BTCUSDT")
    order = (await submit(exchange, BUY)).order
    assert order is not None
    walk = book.walk("buy", BUY.amount)
    assert (order.symbol, order.side, order.type, order.status) == ("BTCUSDT", "buy", "market", "filled")
    assert (order.filled, order.cost, order.average) == (D("0.015"), walk.value, walk.average)
    assert [fill.price for fill in order.fills] == [level.price for level in book.asks[:2]]
    assert [fill.amount for fill in order.fills] == [D("0.01"), D("0.005")]
    assert order.fees == (("BTC", D("0.000015")),)
    assert order.price is None


async def test_a_resting_order_is_open_and_then_partly_filled(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    await control.do("liquidity", symbol="BTCUSDT", qtyPerLevel="0.00001")
    placed = (await submit(exchange, REST, "cb-rest")).order
    assert placed is not None
    assert (placed.status, placed.filled, placed.average) == ("open", D(0), None)
    assert placed.fills == ()
    await control.do("price", symbol="BTCUSDT", price="50000")
    found = await exchange.spot.look_up("BTCUSDT", "cb-rest")
    assert found is not None
    assert found.status == "partly_filled"
    assert 0 < found.filled < REST.amount
    assert (found.id, found.price) == (placed.id, D("50000.1"))


async def test_an_order_that_binance_never_had_is_not_found(exchange: Exchange) -> None:
    assert await exchange.spot.look_up("BTCUSDT", "cb-never") is None


async def test_a_look_up_that_fails_is_not_taken_for_an_order_that_is_not_there(
    exchange: Exchange, control: Control
) -> None:
    await control.do("fault", method="GET", path=ORDER, when="received", do="drop", times=2)
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.look_up("BTCUSDT", "cb-never")
    assert failed.value.code is Code.BINANCE_UNAVAILABLE


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (OrderRequest("BTCUSDT", "buy", "market", D("0.0150009"), None), "quantity"),
        (OrderRequest("BTCUSDT", "buy", "limit", D("0.015"), D("50000.105")), "price"),
        (OrderRequest("BTCUSDT", "buy", "market", D("0.015"), D("50000")), "price"),
        (OrderRequest("BTCUSDT", "sell", "stop_loss", D("0.015"), None, D("58000.105")), "stopPrice"),
        (OrderRequest("BTCUSDT", "sell", "stop_loss", D("0.015"), None), ""),
        (OrderRequest("BTCUSDT", "sell", "limit", D("0.015"), D(60000), D(58000)), "stopPrice"),
        (OrderRequest("BTCUSDT", "sell", "market", D("0.015"), None, reduce_only=True), "reduceOnly"),
        (OrderRequest("BTCUSDT", "buy", "limit", D("0.015"), None), "price"),
        (OrderRequest("BTC/USDT", "buy", "market", D("0.015"), None), "symbol"),
        (OrderRequest("BTCUSDT", "buy", "market", D("NaN"), None), ""),
        (OrderRequest("BTCUSDT", "buy", "market", D(0), None), "amount"),
        (OrderRequest("NOSUCH", "buy", "market", D(1), None), "NOSUCH"),
    ],
)
async def test_what_ccxt_would_change_is_not_sent(
    exchange: Exchange, control: Control, order: OrderRequest, field: str
) -> None:
    sent = await submit(exchange, order)
    assert (sent.verdict, sent.order, sent.http) == (Verdict.NOT_SENT, None, None)
    assert field in sent.reason
    assert await control.requests("POST", ORDER) == []


async def test_a_small_amount_keeps_its_plain_writing(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol="ETHUSDT", price="3000")
    rules = exchange.spot.rules("ETHUSDT")
    amount = rules.step * (1 + rules.min_notional // (rules.step * 3000))
    sent = await submit(exchange, OrderRequest("ETHUSDT", "buy", "market", amount, None))
    assert sent.verdict is Verdict.PLACED
    assert Decimal((await wire_of(control))["quantity"]) == amount


async def test_a_refusal_names_binances_code_and_words(exchange: Exchange, control: Control) -> None:
    sent = await submit(exchange, OrderRequest("BTCUSDT", "buy", "limit", D(9), D(60000)))
    assert (sent.verdict, sent.http, sent.code) == (Verdict.REFUSED, 400, -2010)
    assert sent.message == "Account has insufficient balance for requested action."
    assert await control.orders() == []


async def test_a_late_order_dies_at_binance(exchange: Exchange, control: Control) -> None:
    late = await exchange.spot.server_time_ms() - 6000
    sent = await exchange.spot.submit(BUY, client_order_id="cb-late", timestamp_ms=late)
    assert (sent.verdict, sent.code) == (Verdict.NOT_SENT, -1021)
    assert await control.orders() == []


async def test_an_id_that_is_open_already_is_unknown_and_found(exchange: Exchange, control: Control) -> None:
    await submit(exchange, REST, "cb-twice")
    sent = await submit(exchange, REST, "cb-twice")
    assert (sent.verdict, sent.code) == (Verdict.UNKNOWN, -2010)
    assert await exchange.spot.look_up("BTCUSDT", "cb-twice") is not None
    assert len(await control.orders("cb-twice")) == 1


async def test_no_order_goes_out_on_a_connection_that_was_used(
    settings: Settings, paper: PaperServer
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        for number in range(3):
            assert (await submit(exchange, REST, f"cb-{number}")).verdict is Verdict.PLACED
        assert [count for count in tap.orders_by_connection if count] == [1, 1, 1]


async def test_orders_at_the_same_time_have_their_own_facts(exchange: Exchange, control: Control) -> None:
    too_much = OrderRequest("BTCUSDT", "buy", "limit", D(9), D(60000))
    orders = [BUY, too_much] * 5
    sent = await asyncio.gather(
        *(submit(exchange, order, f"cb-{number}") for number, order in enumerate(orders))
    )
    assert [one.code for one in sent] == [None, -2010] * 5
    assert [one.verdict for one in sent] == [Verdict.PLACED, Verdict.REFUSED] * 5
    assert len(await control.orders()) == 5


async def test_a_submission_leaves_the_decimal_context_alone(exchange: Exchange) -> None:
    with decimal.localcontext(decimal.Context(rounding=decimal.ROUND_HALF_EVEN, traps=[])) as context:
        before = repr(context)
        await submit(exchange, BUY)
        await exchange.spot.ticker("BTCUSDT")
        assert repr(decimal.getcontext()) == before


async def test_budget_is_refused_while_binance_wants_a_pause(exchange: Exchange, control: Control) -> None:
    await exchange.spot.take_budget()
    await control.do("fault", method="POST", path=ORDER, when="received", do="code", http=429, code=-1003)
    assert (await submit(exchange, BUY)).verdict is Verdict.NOT_SENT
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.take_budget()
    assert failed.value.code is Code.RATE_LIMITED
    assert 0 < failed.value.details["retryAfterSeconds"] <= 60


async def test_a_cancelled_submission_raises_and_may_be_live(exchange: Exchange, control: Control) -> None:
    await control.do("fault", method="POST", path=ORDER, when="executed", do="hold")
    task = asyncio.create_task(submit(exchange, BUY, "cb-cut-off"))
    await until(lambda: control.orders("cb-cut-off"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await exchange.spot.look_up("BTCUSDT", "cb-cut-off") is not None
