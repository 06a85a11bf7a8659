"""Whatever breaks, the verdict agrees with the orders that are at the exchange, and a look-up settles it."""

from __future__ import annotations

from typing import Any

import pytest

from broker.exchange import Exchange, Verdict
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import BUY, ORDER, Control, connected, submit, until
from .tap import answer, tapping

pytestmark = pytest.mark.anyio

P, R, N, U = Verdict.PLACED, Verdict.REFUSED, Verdict.NOT_SENT, Verdict.UNKNOWN

# when, what, verdict, orders at the exchange
FAULTS: list[tuple[str, dict[str, Any], Verdict, int]] = [
    ("received", {"do": "drop"}, U, 0),
    ("received", {"do": "reset"}, U, 0),
    ("received", {"do": "cut"}, U, 0),
    ("received", {"do": "html", "http": 502}, U, 0),
    ("received", {"do": "html", "http": 503}, U, 0),
    ("received", {"do": "html", "http": 403}, U, 0),
    ("received", {"do": "html", "http": 200}, U, 0),
    ("received", {"do": "empty"}, U, 0),
    ("received", {"do": "status", "http": 504}, U, 0),
    ("received", {"do": "code", "http": 400, "code": -1000}, U, 0),
    ("received", {"do": "code", "http": 400, "code": -1007}, U, 0),
    ("received", {"do": "code", "http": 503, "code": -1008}, U, 0),
    ("received", {"do": "code", "http": 429, "code": -1015}, N, 0),
    ("received", {"do": "code", "http": 418, "code": -1003}, N, 0),
    ("received", {"do": "code", "http": 400, "code": -1021}, N, 0),
    ("received", {"do": "code", "http": 401, "code": -2015}, N, 0),
    ("received", {"do": "code", "http": 400, "code": -1013}, R, 0),
    ("received", {"do": "code", "http": 400, "code": -2010, "msg": "Stop price would trigger."}, R, 0),
    ("executed", {"do": "drop"}, U, 1),
    ("executed", {"do": "reset"}, U, 1),
    ("executed", {"do": "cut"}, U, 1),
    ("executed", {"do": "html", "http": 502}, U, 1),
    ("executed", {"do": "html", "http": 200}, U, 1),
    ("executed", {"do": "empty"}, U, 1),
    ("executed", {"do": "status", "http": 408}, U, 1),
    ("executed", {"do": "code", "http": 200, "code": -1007}, U, 1),
    ("executed", {"do": "code", "http": 504, "code": -1007}, U, 1),
    ("executed", {"do": "code", "http": 500, "code": -1001}, U, 1),
    ("executed", {"do": "code", "http": 400, "code": -1006}, U, 1),
    ("answered", {"do": "cut"}, U, 1),
    ("answered", {"do": "drop"}, U, 1),
    ("answered", {"do": "reset"}, U, 1),
]


@pytest.mark.parametrize(("when", "what", "verdict", "truth"), FAULTS)
async def test_the_verdict_agrees_with_the_exchange(
    exchange: Exchange, control: Control, when: str, what: dict[str, Any], verdict: Verdict, truth: int
) -> None:
    await control.do("fault", method="POST", path=ORDER, when=when, **what)
    sent = await submit(exchange, BUY, "cb-1")
    assert sent.verdict is verdict, sent
    assert len(await control.orders()) == truth
    assert len(await control.requests("POST", ORDER)) == 1
    if verdict is U:
        found = await exchange.spot.look_up("BTCUSDT", "cb-1")
        assert (found is not None) == bool(truth)


async def test_even_a_ccxt_that_repeats_sends_an_order_once(exchange: Exchange, control: Control) -> None:
    exchange.spot._executor.options["maxRetriesOnFailure"] = 3
    await control.do("fault", method="POST", path=ORDER, when="executed", do="drop")
    assert (await submit(exchange, BUY, "cb-1")).verdict is U
    assert len(await control.requests("POST", ORDER)) == 1


@pytest.mark.parametrize(("when", "truth"), [("received", 0), ("executed", 1), ("answered", 1)])
async def test_an_answer_that_does_not_come_is_unknown(
    impatient: Exchange, control: Control, when: str, truth: int
) -> None:
    await control.do("fault", method="POST", path=ORDER, when=when, do="hang", seconds=30)
    sent = await submit(impatient, BUY, "cb-1")
    assert (sent.verdict, sent.reason) == (U, "sent, no answer")
    assert len(await control.orders("cb-1")) == truth


async def test_an_order_that_is_executed_late_is_found_later(exchange: Exchange, control: Control) -> None:
    await control.do("fault", method="POST", path=ORDER, when="received", do="late", seconds=0.5)
    sent = await submit(exchange, BUY, "cb-1")
    assert sent.verdict is U
    found = await until(lambda: exchange.spot.look_up("BTCUSDT", "cb-1"))
    assert found.status == "filled"
    assert len(await control.orders("cb-1")) == 1


MOVED = "location: /api/v3/order"

OURS = (
    '{"symbol":"BTCUSDT","orderId":1,"clientOrderId":"cb-1","side":"BUY","type":"MARKET","status":"FILLED"}'
)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-type: appl",
        b"GARBAGE\r\n\r\n",
        answer("200 OK", ""),
        answer("200 OK", "{}"),
        answer("200 OK", "[]"),
        answer("200 OK", "null"),
        answer("200 OK", '"ok"'),
        answer("200 OK", '{"orderId": 1, "clientOr'),
        answer("200 OK", OURS),
        answer("200 OK", OURS.replace("cb-1", "cb-2")),
        answer("200 OK", '{"code": -1007, "msg": "Timeout"}'),
        answer("200 OK", '{"code": -2010, "msg": "Account has insufficient balance"}'),
        answer("202 Accepted", OURS),
        answer("307 Temporary Redirect", "", MOVED),
        answer("308 Permanent Redirect", "", MOVED),
        answer("301 Moved Permanently", "", MOVED),
        answer("503 Service Unavailable", '{"code": -2010, "msg": "Account has insufficient balance"}'),
    ],
)
async def test_an_answer_that_makes_no_sense_is_unknown(
    settings: Settings, paper: PaperServer, control: Control, raw: bytes
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.answer = raw
        sent = await submit(exchange, BUY, "cb-1")
        assert (sent.verdict, sent.order) == (U, None)
        assert sum(tap.orders_by_connection) == 1
    assert await control.orders() == []


FULL = (
    '{"symbol":"%s","orderId":7,"orderListId":-1,"clientOrderId":"%s","transactTime":1,"price":"0","origQty":'
    '"0.015","executedQty":"0","cummulativeQuoteQty":"0","status":"%s","timeInForce":"GTC","type":"MARKET",'
    '"side":"%s","fills":[]}'
)


@pytest.mark.parametrize(
    ("symbol", "client_order_id", "status", "side", "verdict"),
    [
        ("BTCUSDT", "cb-1", "EXPIRED", "BUY", P),
        ("BTCUSDT", "cb-1", "REJECTED", "BUY", R),
        ("BTCUSDT", "cb-2", "FILLED", "BUY", U),
        ("ETHUSDT", "cb-1", "FILLED", "BUY", U),
        ("BTCUSDT", "cb-1", "FILLED", "SELL", U),
        ("BTCUSDT", "cb-1", "A_STATUS_OF_TOMORROW", "BUY", U),
    ],
)
async def test_only_an_answer_that_our_order_was_taken_is_placed(
    settings: Settings,
    paper: PaperServer,
    symbol: str,
    client_order_id: str,
    status: str,
    side: str,
    verdict: Verdict,
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.answer = answer("200 OK", FULL % (symbol, client_order_id, status, side))
        assert (await submit(exchange, BUY, "cb-1")).verdict is verdict
