"""A cancel that a trader approved: one DELETE, exactly as asked; its verdict goes by wire facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.exchange import Exchange, Market, OrderRequest, Sent, Verdict

from .helpers import REST, Control

pytestmark = pytest.mark.anyio

BTC = "BTCUSDT"
PATHS = {"spot": "/api/v3/order", "plain": "/fapi/v1/order", "algo": "/fapi/v1/algoOrder"}
STOP = OrderRequest(
    BTC, "buy", "stop_loss", Decimal("0.02"), None, stop_price=Decimal(90_000), market=Market.FUTURES
)
LIMIT = OrderRequest(BTC, "buy", "limit", Decimal("0.02"), Decimal("50000"), market=Market.FUTURES)
ORDERS = {"spot": REST, "plain": LIMIT, "algo": STOP}
KINDS = pytest.mark.parametrize("kind", ORDERS)


async def rests(exchange: Exchange, control: Control, kind: str) -> str:
    """The id of a resting order."""
    order = ORDERS[kind]
    await control.do("price", symbol=BTC, price="60000", market=str(order.market))
    venue = exchange.on(order.market)
    now = await venue.server_time_ms()
    sent = await venue.submit(order, client_order_id="cb-rests", timestamp_ms=now)
    assert sent.order is not None, sent
    return sent.order.id


async def cancel(exchange: Exchange, kind: str, order_id: str, *, late_ms: int = 0) -> Sent:
    venue = exchange.on(ORDERS[kind].market)
    now = await venue.server_time_ms()
    return await venue.cancel_once(BTC, order_id, conditional=kind == "algo", timestamp_ms=now - late_ms)


async def status(exchange: Exchange, kind: str, order_id: str) -> str:
    found = await exchange.on(ORDERS[kind].market).find(BTC, order_id, conditional=kind == "algo")
    assert found is not None and found.id == order_id
    return found.status


@KINDS
async def test_it_goes_out_exactly_as_asked(exchange: Exchange, control: Control, kind: str) -> None:
    order_id = await rests(exchange, control, kind)
    assert await status(exchange, kind, order_id) == "open"
    sent = await cancel(exchange, kind, order_id)
    assert (sent.verdict, sent.order, sent.http) == (Verdict.PLACED, None, 200)
    (request,) = await control.requests("DELETE", PATHS[kind])
    params = request["params"]
    assert len(params.pop("signature")) == 64
    assert params.pop("timestamp").isdigit()
    of = {"algoId": order_id} if kind == "algo" else {"symbol": BTC, "orderId": order_id}
    assert params == {**of, "recvWindow": "5000"}
    assert await status(exchange, kind, order_id) == "cancelled"


@KINDS
@pytest.mark.parametrize(
    ("fault", "after"),
    [
        ({"when": "received", "do": "drop"}, "open"),
        ({"when": "received", "do": "reset"}, "open"),
        ({"when": "received", "do": "html"}, "open"),
        ({"when": "received", "do": "code", "code": -1007, "http": 408}, "open"),
        ({"when": "executed", "do": "drop"}, "cancelled"),
        ({"when": "executed", "do": "reset"}, "cancelled"),
        ({"when": "executed", "do": "empty"}, "cancelled"),
        ({"when": "answered", "do": "cut"}, "cancelled"),
    ],
    ids=lambda it: it if isinstance(it, str) else f"{it['when']}-{it['do']}",
)
async def test_without_a_clear_answer_it_is_unknown_and_never_sent_again(
    exchange: Exchange, control: Control, kind: str, fault: dict[str, Any], after: str
) -> None:
    order_id = await rests(exchange, control, kind)
    await control.do("fault", method="DELETE", path=PATHS[kind], **fault)
    sent = await cancel(exchange, kind, order_id)
    assert sent.verdict is Verdict.UNKNOWN, sent
    assert len(await control.requests("DELETE", PATHS[kind])) == 1
    assert await status(exchange, kind, order_id) == after


@KINDS
async def test_what_is_certain_is_told_as_such(exchange: Exchange, control: Control, kind: str) -> None:
    order_id = await rests(exchange, control, kind)
    assert (await cancel(exchange, kind, order_id, late_ms=60_000)).verdict is Verdict.NOT_SENT
    assert await status(exchange, kind, order_id) == "open"
    await control.do(
        "fault", when="received", do="code", method="DELETE", path=PATHS[kind], code=-1003, http=429
    )
    assert (await cancel(exchange, kind, order_id)).verdict is Verdict.NOT_SENT


@KINDS
async def test_what_is_no_longer_open_is_left_to_a_look_up(
    exchange: Exchange, control: Control, kind: str
) -> None:
    """ "Unknown order": cancelled, filled or never there, which its own state tells."""
    order_id = await rests(exchange, control, kind)
    assert (await cancel(exchange, kind, order_id)).verdict is Verdict.PLACED
    again = await cancel(exchange, kind, order_id)
    assert again.verdict is Verdict.UNKNOWN
    assert again.code is not None and again.http == 400


@KINDS
async def test_an_id_that_binance_does_not_know_is_none(exchange: Exchange, kind: str) -> None:
    venue = exchange.on(ORDERS[kind].market)
    assert await venue.find(BTC, "777", conditional=kind == "algo") is None
