"""Futures orders, conditional orders and leverage, through the real ccxt, against the paper exchange."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.exchange import Exchange, Market, OrderRequest, Sent, Verdict
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import Control, connected, submit
from .tap import answer, tapping

pytestmark = pytest.mark.anyio

D = Decimal
P, R, N, U = Verdict.PLACED, Verdict.REFUSED, Verdict.NOT_SENT, Verdict.UNKNOWN

BTC = "BTCUSDT"
ORDER, ALGO, LEVERAGE = "/fapi/v1/order", "/fapi/v1/algoOrder", "/fapi/v1/leverage"


def futures(side: Any, kind: Any, amount: str, price: str | None = None, **more: Any) -> OrderRequest:
    limit = None if price is None else D(price)
    return OrderRequest(BTC, side, kind, D(amount), limit, market=Market.FUTURES, **more)


LONG = futures("buy", "market", "0.02")
REST = futures("buy", "limit", "0.02", "50000.1")
STOP = futures("sell", "stop_loss", "0.02", stop_price=D("58000.1"), reduce_only=True)

PLAIN = {"newClientOrderId": "cb-1", "newOrderRespType": "RESULT", "recvWindow": "5000", "symbol": BTC}
CONDITIONAL = {
    "clientAlgoId": "cb-1",
    "algoType": "CONDITIONAL",
    "newOrderRespType": "RESULT",
    "recvWindow": "5000",
    "symbol": BTC,
}

WIRE: list[tuple[OrderRequest, str, dict[str, str]]] = [
    (LONG, ORDER, {**PLAIN, "side": "BUY", "type": "MARKET", "quantity": "0.02"}),
    (
        REST,
        ORDER,
        {
            **PLAIN,
            "side": "BUY",
            "type": "LIMIT",
            "quantity": "0.02",
            "price": "50000.1",
            "timeInForce": "GTC",
        },
    ),
    (
        futures("sell", "market", "0.01", reduce_only=True),
        ORDER,
        {**PLAIN, "side": "SELL", "type": "MARKET", "quantity": "0.01", "reduceOnly": "true"},
    ),
    (
        futures("sell", "limit", "0.01", "70000", reduce_only=True),
        ORDER,
        {
            **PLAIN,
            "side": "SELL",
            "type": "LIMIT",
            "quantity": "0.01",
            "price": "70000",
            "timeInForce": "GTC",
            "reduceOnly": "true",
        },
    ),
    (
        STOP,
        ALGO,
        {
            **CONDITIONAL,
            "side": "SELL",
            "type": "STOP_MARKET",
            "quantity": "0.02",
            "triggerPrice": "58000.1",
            "reduceOnly": "true",
        },
    ),
    (
        futures("sell", "stop_loss", "0.02", "57900", stop_price=D(58000), reduce_only=True),
        ALGO,
        {
            **CONDITIONAL,
            "side": "SELL",
            "type": "STOP",
            "quantity": "0.02",
            "price": "57900",
            "triggerPrice": "58000",
            "reduceOnly": "true",
        },
    ),
    (
        futures("sell", "take_profit", "0.02", stop_price=D(66000), reduce_only=True),
        ALGO,
        {
            **CONDITIONAL,
            "side": "SELL",
            "type": "TAKE_PROFIT_MARKET",
            "quantity": "0.02",
            "triggerPrice": "66000",
            "reduceOnly": "true",
        },
    ),
    (
        futures("buy", "take_profit", "0.02", "55000", stop_price=D(56000)),
        ALGO,
        {
            **CONDITIONAL,
            "side": "BUY",
            "type": "TAKE_PROFIT",
            "quantity": "0.02",
            "price": "55000",
            "triggerPrice": "56000",
        },
    ),
]


@pytest.fixture(autouse=True)
async def pinned(control: Control) -> None:
    await control.do("price", symbol=BTC, price="60000", market="futures")
    await control.do("liquidity", symbol=BTC, qtyPerLevel="1", market="futures")


async def set_leverage(exchange: Exchange, leverage: int) -> Sent:
    now = await exchange.futures.server_time_ms()
    return await exchange.futures.set_leverage(BTC, leverage, timestamp_ms=now)


async def opened(exchange: Exchange) -> None:
    assert (await submit(exchange, LONG, "cb-long")).verdict is P


@pytest.mark.parametrize(("order", "path", "wire"), WIRE)
async def test_an_order_goes_out_exactly_as_asked(
    exchange: Exchange, control: Control, order: OrderRequest, path: str, wire: dict[str, str]
) -> None:
    await opened(exchange)
    now = await exchange.futures.server_time_ms()
    sent = await exchange.futures.submit(order, client_order_id="cb-1", timestamp_ms=now)
    assert sent.verdict is P, sent
    params = (await control.requests("POST", path))[-1]["params"]
    assert len(params.pop("signature")) == 64
    assert params == {**wire, "timestamp": str(now)}


async def test_leverage_goes_out_exactly_as_asked(exchange: Exchange, control: Control) -> None:
    now = await exchange.futures.server_time_ms()
    sent = await exchange.futures.set_leverage(BTC, 7, timestamp_ms=now)
    assert (sent.verdict, sent.order) == (P, None)
    (request,) = await control.requests("POST", LEVERAGE)
    assert len(request["params"].pop("signature")) == 64
    assert request["params"] == {
        "symbol": BTC,
        "leverage": "7",
        "timestamp": str(now),
        "recvWindow": "5000",
    }
    assert (await exchange.futures.leverage(BTC)).leverage == 7


@pytest.mark.parametrize("leverage", [0, 126, 1000])
async def test_a_leverage_that_binance_has_never_is_not_sent(
    exchange: Exchange, control: Control, leverage: int
) -> None:
    assert (await set_leverage(exchange, leverage)).verdict is N
    assert await control.requests("POST", LEVERAGE) == []


@pytest.mark.parametrize(
    ("order", "field"),
    [
        (futures("buy", "market", "0.0201234"), "quantity"),
        (futures("buy", "limit", "0.02", "50000.123"), "price"),
        (futures("sell", "stop_loss", "0.02", stop_price=D("58000.123")), "triggerPrice"),
        (futures("buy", "limit", "0.02"), "price"),
        (futures("buy", "market", "0.02", "50000"), "price"),
        (futures("buy", "stop_loss", "0.02"), ""),
        (futures("buy", "market", "0.02", stop_price=D(58000)), ""),
        (OrderRequest("BTC/USDT:USDT", "buy", "market", D("0.02"), None, market=Market.FUTURES), "symbol"),
        (OrderRequest("NOSUCH", "buy", "market", D(1), None, market=Market.FUTURES), "NOSUCH"),
    ],
)
async def test_what_ccxt_would_change_is_not_sent(
    exchange: Exchange, control: Control, order: OrderRequest, field: str
) -> None:
    sent = await submit(exchange, order)
    assert (sent.verdict, sent.order, sent.http) == (N, None, None)
    assert field in sent.reason
    assert await control.requests("POST", ORDER) == []
    assert await control.requests("POST", ALGO) == []


async def test_a_filled_order_has_its_average_and_its_fee_and_profit_come_from_its_trades(
    exchange: Exchange, control: Control
) -> None:
    opening = (await submit(exchange, LONG, "cb-open")).order
    assert opening is not None
    assert (opening.status, opening.filled, opening.side) == ("filled", D("0.02"), "buy")
    assert opening.average is not None
    assert opening.cost == opening.average * D("0.02")
    await control.do("price", symbol=BTC, price="61000", market="futures")
    closing = (await submit(exchange, futures("sell", "market", "0.02", reduce_only=True), "cb-close")).order
    assert closing is not None
    assert closing.average is not None
    told = await exchange.futures.with_trades(closing)
    assert told.realized == (closing.average - opening.average) * D("0.02")
    assert told.fees == (("USDT", closing.cost * D("0.0005")),)
    assert await exchange.futures.with_trades(told) is told


async def test_an_order_is_found_by_its_id_and_another_is_not(exchange: Exchange) -> None:
    placed = (await submit(exchange, REST, "cb-rest")).order
    assert placed is not None
    found = await exchange.futures.look_up(BTC, "cb-rest")
    assert found is not None
    assert (found.id, found.status, found.price) == (placed.id, "open", D("50000.1"))
    assert await exchange.futures.look_up(BTC, "cb-never") is None
    assert await exchange.futures.look_up(BTC, "cb-rest", conditional=True) is None


async def test_a_conditional_order_is_found_as_such_and_follows_its_trigger(
    exchange: Exchange, control: Control
) -> None:
    await opened(exchange)
    placed = (await submit(exchange, STOP, "cb-stop")).order
    assert placed is not None
    assert (placed.status, placed.type, placed.filled) == ("open", "stop_market", D(0))
    assert await exchange.futures.look_up(BTC, "cb-stop") is None
    waiting = await exchange.futures.look_up(BTC, "cb-stop", conditional=True)
    assert waiting is not None
    assert (waiting.id, waiting.status, waiting.executed_as) == (placed.id, "open", None)
    await control.do("price", symbol=BTC, price="57000", market="futures")
    done = await exchange.futures.look_up(BTC, "cb-stop", conditional=True)
    assert done is not None
    assert (done.id, done.client_order_id, done.status) == (placed.id, "cb-stop", "filled")
    assert (done.filled, done.amount) == (D("0.02"), D("0.02"))
    assert done.average is not None
    assert done.executed_as not in (None, done.id)
    told = await exchange.futures.with_trades(done)
    assert told.realized is not None
    assert told.realized < 0
    assert told.fees
    assert await exchange.futures.positions() == []


async def test_a_stop_that_would_trigger_at_once_is_refused(exchange: Exchange) -> None:
    await opened(exchange)
    order = futures("sell", "stop_loss", "0.02", stop_price=D(61000), reduce_only=True)
    sent = await submit(exchange, order)
    assert (sent.verdict, sent.code) == (R, -2021)


async def test_reduce_only_without_a_position_is_refused(exchange: Exchange) -> None:
    sent = await submit(exchange, futures("sell", "market", "0.02", reduce_only=True))
    assert (sent.verdict, sent.code) == (R, -2022)


async def test_an_id_that_is_open_already_is_unknown_and_found(exchange: Exchange) -> None:
    await submit(exchange, REST, "cb-twice")
    sent = await submit(exchange, REST, "cb-twice")
    assert (sent.verdict, sent.code) == (U, -4116)
    assert await exchange.futures.look_up(BTC, "cb-twice") is not None


# What is sent, when, what breaks, verdict, whether it happened.
FAULTS: list[tuple[str, dict[str, Any], Verdict, bool]] = [
    ("received", {"do": "drop"}, U, False),
    ("received", {"do": "reset"}, U, False),
    ("received", {"do": "html", "http": 502}, U, False),
    ("received", {"do": "html", "http": 503}, U, False),
    ("received", {"do": "html", "http": 200}, U, False),
    ("received", {"do": "empty"}, U, False),
    ("received", {"do": "code", "http": 503, "code": -1008}, N, False),
    ("received", {"do": "code", "http": 400, "code": -5028}, N, False),
    ("received", {"do": "code", "http": 401, "code": -2015}, N, False),
    ("received", {"do": "code", "http": 400, "code": -2019}, R, False),
    ("executed", {"do": "drop"}, U, True),
    ("executed", {"do": "reset"}, U, True),
    ("executed", {"do": "cut"}, U, True),
    ("executed", {"do": "html", "http": 200}, U, True),
    ("executed", {"do": "code", "http": 408, "code": -1007}, U, True),
    ("executed", {"do": "code", "http": 503, "code": -1000}, U, True),
    ("answered", {"do": "cut"}, U, True),
    ("answered", {"do": "reset"}, U, True),
]


@pytest.mark.parametrize(("when", "what", "verdict", "happened"), FAULTS)
@pytest.mark.parametrize(("order", "path"), [(LONG, ORDER), (STOP, ALGO)])
async def test_the_verdict_agrees_with_the_exchange(
    exchange: Exchange,
    control: Control,
    order: OrderRequest,
    path: str,
    when: str,
    what: dict[str, Any],
    verdict: Verdict,
    happened: bool,
) -> None:
    if order.conditional:
        await opened(exchange)
    await control.do("fault", method="POST", path=path, when=when, **what)
    sent = await submit(exchange, order, "cb-1")
    assert sent.verdict is verdict, sent
    found = await exchange.futures.look_up(BTC, "cb-1", conditional=order.conditional)
    assert (found is not None) is happened
    assert [entry["params"].get("symbol") for entry in await control.requests("POST", path)].count(BTC) == 1


@pytest.mark.parametrize(("when", "what", "verdict", "happened"), FAULTS)
async def test_the_verdict_on_a_leverage_agrees_with_the_exchange(
    exchange: Exchange, control: Control, when: str, what: dict[str, Any], verdict: Verdict, happened: bool
) -> None:
    await control.do("fault", method="POST", path=LEVERAGE, when=when, **what)
    sent = await set_leverage(exchange, 7)
    assert sent.verdict is verdict, sent
    assert ((await exchange.futures.leverage(BTC)).leverage == 7) is happened
    assert len(await control.requests("POST", LEVERAGE)) == 1


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ('{"msg": "Unknown error, please check your request or try again later."}', U),
        ('{"msg": "Service Unavailable."}', N),
        ('{"code": -1001, "msg": "Internal error; unable to process your request. Please try again."}', N),
        ('{"code": -1008, "msg": "Server is currently overloaded with other requests."}', N),
        ("<html>", U),
    ],
)
async def test_a_503_of_futures_is_read_by_its_words(
    settings: Settings, paper: PaperServer, body: str, verdict: Verdict
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to, tap.answer = b"POST /fapi/v1/order ", answer("503 Service Unavailable", body)
        assert (await submit(exchange, LONG)).verdict is verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ('{"leverage": 7, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"}', P),
        ('{"leverage": 8, "maxNotionalValue": "1000000", "symbol": "BTCUSDT"}', U),
        ('{"leverage": 7, "maxNotionalValue": "1000000", "symbol": "ETHUSDT"}', U),
        ('{"leverage": 7}', U),
        ("{}", U),
        ("", U),
    ],
)
async def test_only_an_answer_about_our_leverage_is_placed(
    settings: Settings, paper: PaperServer, body: str, verdict: Verdict
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to, tap.answer = b"POST /fapi/v1/leverage ", answer("200 OK", body)
        assert (await set_leverage(exchange, 7)).verdict is verdict


@pytest.mark.parametrize("http", [429, 418])
async def test_a_pause_that_futures_ask_for_is_theirs_alone(
    exchange: Exchange, control: Control, http: int
) -> None:
    await control.do("fault", method="POST", path=ORDER, when="received", do="code", http=http, code=-1003)
    assert (await submit(exchange, LONG)).verdict is N
    with pytest.raises(BrokerError) as failed:
        await exchange.futures.take_budget()
    assert failed.value.code is Code.RATE_LIMITED
    await exchange.spot.take_budget()


async def test_a_late_order_dies_at_binance(exchange: Exchange, control: Control) -> None:
    late = await exchange.futures.server_time_ms() - 6000
    for order in (LONG, STOP):
        sent = await exchange.futures.submit(order, client_order_id="cb-late", timestamp_ms=late)
        assert (sent.verdict, sent.code) == (N, -1021)
    sent = await exchange.futures.set_leverage(BTC, 7, timestamp_ms=late)
    assert (sent.verdict, sent.code) == (N, -1021)


async def test_a_key_without_futures_is_named_and_no_alarm(exchange: Exchange, control: Control) -> None:
    await control.do("permissions", withdraw=False, futures=False)
    sent = await submit(exchange, LONG)
    assert (sent.verdict, sent.code) == (N, -2015)
    with pytest.raises(BrokerError) as failed:
        await exchange.futures.look_up(BTC, "cb-1")
    assert failed.value.code is Code.FUTURES_NOT_PERMITTED
    assert "BINANCE_FUTURES_API_KEY" in failed.value.message
    assert exchange.last_error is None


async def test_no_order_goes_out_on_a_connection_that_was_used(
    settings: Settings, paper: PaperServer
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.counted = b"POST /fapi/v1/order "
        for number in range(3):
            assert (await submit(exchange, REST, f"cb-{number}")).verdict is P
        assert [count for count in tap.orders_by_connection if count] == [1, 1, 1]
