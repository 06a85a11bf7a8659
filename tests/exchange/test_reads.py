"""What the pass-through tools and the checks read, through the real ccxt, against the paper exchange."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.clock import to_ms, utc_now
from broker.errors import BrokerError, Code
from broker.exchange import Balance, Exchange, OrderRequest, leaving_room
from broker.paper import PaperServer
from broker.paper.http.limits import Limits
from broker.settings import Settings

from .helpers import BUY, REST, Control, connected, submit
from .tap import answer, tapping

pytestmark = pytest.mark.anyio

D = Decimal

ACCOUNT = "/api/v3/account"
TICKER = "/api/v3/ticker/24hr"


async def test_a_ticker_has_decimals(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000.01")
    ticker = await exchange.spot.ticker("BTC/USDT")
    assert ticker["last"] == D("60000.01")
    assert ticker["bid"] < ticker["ask"]
    assert {type(ticker[name]) for name in ("last", "high", "low", "quoteVolume", "percentage")} == {Decimal}


async def test_all_tickers_stand_by_id_and_volume(exchange: Exchange) -> None:
    tickers = await exchange.spot.all_tickers()
    volumes = [ticker["quoteVolume"] for ticker in tickers.values()]
    assert {"BTCUSDT", "ETHUSDT"} <= tickers.keys()
    assert volumes == sorted(volumes, reverse=True)


async def test_klines_are_as_many_as_asked_and_end_now(exchange: Exchange) -> None:
    before = to_ms(utc_now())
    rows = await exchange.spot.klines("BTCUSDT", "5m", 7)
    times = [row[0] for row in rows]
    assert times == list(range(times[0], times[0] + 7 * 300_000, 300_000))
    assert before - 300_000 < times[-1] <= to_ms(utc_now())
    assert all(low <= min(start, end) and max(start, end) <= high for _, start, high, low, end, _ in rows)


async def test_public_trades_are_as_many_as_asked(exchange: Exchange) -> None:
    trades = await exchange.spot.trades("BTCUSDT", 5)
    assert len(trades) == 5
    assert all(trade["side"] in ("buy", "sell") and trade["amount"] > 0 for trade in trades)


async def test_a_book_is_sorted_and_as_deep_as_asked(exchange: Exchange) -> None:
    book = await exchange.spot.book("BTCUSDT", 20)
    bids, asks = [level.price for level in book.bids], [level.price for level in book.asks]
    assert (len(bids), len(asks)) == (20, 20)
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert book.best_bid == bids[0] < asks[0] == book.best_ask
    assert abs(book.timestamp_ms - to_ms(utc_now())) < 60_000


async def test_last_prices_are_asked_once_a_second(exchange: Exchange, control: Control) -> None:
    await control.do("price", symbol="BTCUSDT", price="60000")
    first, second = await asyncio.gather(exchange.spot.last_prices(), exchange.spot.last_prices())
    assert first["BTCUSDT"] == D(60000)
    assert second is first
    assert len(await control.requests("GET", "/api/v3/ticker/price")) == 1


async def test_last_prices_are_asked_again_after_a_second(
    settings: Settings, paper: PaperServer, control: Control
) -> None:
    offset_ms = 0

    def clock() -> Any:
        return utc_now().fromtimestamp((to_ms(utc_now()) + offset_ms) / 1000, utc_now().tzinfo)

    async with connected(settings, paper.url, clock=clock) as exchange:
        await exchange.spot.last_prices()
        offset_ms = 1_001
        await exchange.spot.last_prices()
    assert len(await control.requests("GET", "/api/v3/ticker/price")) == 2


async def test_the_average_price_is_near_the_last(exchange: Exchange, control: Control) -> None:
    average = await exchange.spot.average_price("BTCUSDT")
    last = (await exchange.spot.last_prices())["BTCUSDT"]
    assert abs(average / last - 1) < D("0.05")


async def test_the_account_has_what_is_held_and_what_is_allowed(exchange: Exchange) -> None:
    await submit(exchange, REST)
    account = await exchange.spot.account()
    held = REST.amount * D("50000.1")
    assert account.balances == (Balance("USDT", 100_000 - held, held),)
    assert (account.can_trade, account.taker_fee) == (True, D("0.001"))
    assert account.balances[0].total == 100_000


async def test_open_orders_of_one_symbol_and_of_all(exchange: Exchange) -> None:
    await submit(exchange, REST, "cb-1")
    await submit(exchange, OrderRequest("ETHUSDT", "buy", "limit", D(1), D(1000)), "cb-2")
    one = await exchange.spot.open_orders("BTC/USDT")
    assert [(order.client_order_id, order.price, order.status) for order in one] == [
        ("cb-1", D("50000.1"), "open")
    ]
    assert {order.client_order_id for order in await exchange.spot.open_orders()} == {"cb-1", "cb-2"}


async def test_my_trades_can_be_those_of_one_order(exchange: Exchange) -> None:
    orders = [(await submit(exchange, BUY, f"cb-{number}")).order for number in range(2)]
    assert orders[1] is not None
    assert len({trade["order"] for trade in await exchange.spot.my_trades("BTCUSDT", 50)}) == 2
    of_one = await exchange.spot.my_trades("BTCUSDT", 50, order_id=orders[1].id)
    assert [trade["order"] for trade in of_one] == [orders[1].id] * len(orders[1].fills)
    assert sum(trade["amount"] for trade in of_one) == BUY.amount
    assert sum(trade["fee"]["cost"] for trade in of_one) == BUY.amount / 1000
    assert {trade["fee"]["currency"] for trade in of_one} == {"BTC"}


async def test_a_cancelled_order_is_open_no_more(exchange: Exchange) -> None:
    order = (await submit(exchange, REST)).order
    assert order is not None
    assert await exchange.spot.cancel("BTCUSDT", order.id) == order.id
    assert await exchange.spot.open_orders("BTCUSDT") == []
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.cancel("BTCUSDT", order.id)
    assert failed.value.code is Code.BINANCE_REFUSED
    assert failed.value.details["binanceCode"] == -2011


async def test_all_orders_of_a_symbol_are_cancelled_and_none_is_no_error(exchange: Exchange) -> None:
    for number in range(3):
        await submit(exchange, REST, f"cb-{number}")
    assert len(await exchange.spot.cancel_all("BTCUSDT")) == 3
    assert await exchange.spot.cancel_all("BTCUSDT") == []


async def test_a_cancelled_pair_counts_as_its_two_orders(settings: Settings, paper: PaperServer) -> None:
    one = {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "a", "status": "CANCELED", "side": "SELL"}
    pair = {"orderListId": 7, "contingencyType": "OCO", "orderReports": [one | {"orderId": 2}, one]}
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to = b"DELETE /api/v3/openOrders"
        tap.answer = answer("200 OK", json.dumps([one | {"orderId": 3}, pair]))
        assert set(await exchange.spot.cancel_all("BTCUSDT")) == {"1", "2", "3"}


async def test_binances_clock_signs_and_is_told(
    settings: Settings, paper: PaperServer, control: Control
) -> None:
    await control.do("clock", offset_ms=90_000)
    async with connected(settings, paper.url) as exchange:
        assert abs(exchange.spot.clock_offset_ms - 90_000) < 5_000
        assert abs(await exchange.spot.server_time_ms() - to_ms(utc_now()) - 90_000) < 5_000
        assert (await exchange.spot.account()).can_trade


async def test_a_clock_that_jumped_is_asked_for_again(exchange: Exchange, control: Control) -> None:
    await exchange.spot.account()
    await control.do("clock", offset_ms=90_000)
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.account()
    assert failed.value.details["binanceCode"] == -1021
    assert (await exchange.spot.account()).can_trade


async def test_the_same_question_at_the_same_time_is_asked_once(exchange: Exchange, control: Control) -> None:
    await asyncio.gather(*(exchange.spot.ticker("BTCUSDT") for _ in range(10)))
    assert len(await control.requests("GET", TICKER)) == 1


async def test_whoever_leaves_does_not_spoil_it_for_the_others(exchange: Exchange, control: Control) -> None:
    await control.do("fault", method="GET", path=TICKER, when="received", do="hold")
    leaving = asyncio.create_task(exchange.spot.ticker("BTCUSDT"))
    staying = asyncio.create_task(exchange.spot.ticker("BTCUSDT"))
    await control.held()
    leaving.cancel()
    await control.do("release")
    assert (await staying)["last"] > 0
    assert leaving.cancelled()


Call = Callable[[Exchange], Awaitable[Any]]

READS: list[tuple[str, str, Call]] = [
    ("GET", TICKER, lambda exchange: exchange.spot.ticker("BTCUSDT")),
    ("GET", TICKER, lambda exchange: exchange.spot.all_tickers()),
    ("GET", "/api/v3/depth", lambda exchange: exchange.spot.book("BTCUSDT")),
    ("GET", "/api/v3/klines", lambda exchange: exchange.spot.klines("BTCUSDT", "1h", 5)),
    ("GET", "/api/v3/aggTrades", lambda exchange: exchange.spot.trades("BTCUSDT", 5)),
    ("GET", "/api/v3/avgPrice", lambda exchange: exchange.spot.average_price("BTCUSDT")),
    ("GET", "/api/v3/ticker/price", lambda exchange: exchange.spot.last_prices()),
    ("GET", "/api/v3/time", lambda exchange: exchange.spot.server_time_ms()),
    ("GET", ACCOUNT, lambda exchange: exchange.spot.account()),
    ("GET", "/api/v3/openOrders", lambda exchange: exchange.spot.open_orders()),
    ("GET", "/api/v3/myTrades", lambda exchange: exchange.spot.my_trades("BTCUSDT", 5)),
    ("GET", "/api/v3/order", lambda exchange: exchange.spot.look_up("BTCUSDT", "cb-1")),
    ("DELETE", "/api/v3/order", lambda exchange: exchange.spot.cancel("BTCUSDT", "1")),
    ("DELETE", "/api/v3/openOrders", lambda exchange: exchange.spot.cancel_all("BTCUSDT")),
]


@pytest.mark.parametrize(
    "what",
    [
        {"do": "empty"},
        {"do": "html", "http": 200},
        {"do": "html", "http": 502},
        {"do": "drop", "times": 2},
        {"do": "cut"},
    ],
    ids=lambda what: f"{what['do']}-{what.get('http', '')}",
)
@pytest.mark.parametrize(("method", "path", "read"), READS)
async def test_no_read_makes_something_up(
    exchange: Exchange, control: Control, method: str, path: str, read: Call, what: dict[str, Any]
) -> None:
    await control.do("fault", method=method, path=path, when="executed", **what)
    with pytest.raises(BrokerError) as failed:
        await read(exchange)
    assert failed.value.code is Code.BINANCE_UNAVAILABLE
    assert not exchange.spot.reachable
    assert exchange.last_error == failed.value.message


@pytest.mark.parametrize("body", ['{"unexpected": true}', '[{"unexpected": true}]', "[1]", '{"symbols": 1}'])
@pytest.mark.parametrize(("method", "path", "read"), READS)
async def test_an_answer_of_another_shape_is_no_answer(
    settings: Settings, paper: PaperServer, method: str, path: str, read: Call, body: str
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to, tap.answer = f"{method} {path}".encode(), answer("200 OK", body)
        with pytest.raises(BrokerError) as failed:
            await read(exchange)
        assert failed.value.code is Code.BINANCE_UNAVAILABLE


@pytest.mark.parametrize(
    ("what", "code", "details"),
    [
        ({"do": "code", "http": 429, "code": -1003}, Code.RATE_LIMITED, {"retryAfterSeconds": 60}),
        ({"do": "code", "http": 418, "code": -1003}, Code.RATE_LIMITED, {"retryAfterSeconds": 120}),
        ({"do": "code", "http": 401, "code": -2015}, Code.BINANCE_REFUSED, {"binanceCode": -2015}),
        ({"do": "code", "http": 400, "code": -1121}, Code.UNKNOWN_SYMBOL, {"binanceCode": -1121}),
        ({"do": "code", "http": 400, "code": -1001}, Code.BINANCE_UNAVAILABLE, {}),
        ({"do": "code", "http": 500, "code": -1000}, Code.BINANCE_UNAVAILABLE, {}),
        ({"do": "code", "http": 408, "code": -1007}, Code.BINANCE_TIMEOUT, {}),
        ({"do": "status", "http": 504}, Code.BINANCE_TIMEOUT, {}),
    ],
)
async def test_a_failed_read_has_the_brokers_code(
    exchange: Exchange, control: Control, what: dict[str, Any], code: Code, details: dict[str, Any]
) -> None:
    await control.do("fault", method="GET", path=ACCOUNT, when="received", **what)
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.account()
    assert failed.value.code is code
    assert details.items() <= failed.value.details.items()


async def test_a_read_that_hangs_times_out(impatient: Exchange, control: Control) -> None:
    await control.do("fault", method="GET", path=ACCOUNT, when="received", do="hang", seconds=30)
    with pytest.raises(BrokerError) as failed:
        await impatient.spot.account()
    assert failed.value.code is Code.BINANCE_TIMEOUT
    assert not impatient.spot.reachable


async def test_the_next_read_that_succeeds_says_that_all_is_well(
    exchange: Exchange, control: Control
) -> None:
    await control.do("fault", method="GET", path=ACCOUNT, when="received", do="drop", times=2)
    with pytest.raises(BrokerError):
        await exchange.spot.account()
    assert not exchange.spot.reachable
    await exchange.spot.account()
    assert exchange.spot.reachable
    assert exchange.last_error is None


async def test_an_error_tells_no_key_and_no_signature(exchange: Exchange, control: Control) -> None:
    await control.do("fault", method="GET", path=ACCOUNT, when="received", do="drop", times=2)
    with pytest.raises(BrokerError) as failed:
        await exchange.spot.account()
    told = f"{failed.value.body()} {exchange.last_error}"
    assert "signature" not in told
    assert "paper-" not in told


async def test_the_operator_hears_of_a_bad_key_but_not_of_an_agents_slip(
    exchange: Exchange, control: Control
) -> None:
    await control.do("fault", method="GET", path=ACCOUNT, when="received", do="code", http=401, code=-2015)
    with pytest.raises(BrokerError):
        await exchange.spot.account()
    assert exchange.spot.reachable
    assert "-2015" in (exchange.last_error or "")
    with pytest.raises(BrokerError):
        await exchange.spot.cancel("BTCUSDT", "1")
    assert exchange.last_error is None


async def test_who_leaves_room_stops_before_binance_has_to_stop_him(
    settings: Settings, tmp_path: Path
) -> None:
    limits, moment = Limits(weight_per_minute=200), utc_now()
    async with PaperServer(tmp_path, port=0, seed=1, clock=lambda: moment, limits=limits) as paper:
        async with connected(settings, paper.url, clock=lambda: moment) as exchange:
            with pytest.raises(BrokerError) as failed, leaving_room(90):
                for _ in range(20):
                    await exchange.spot.account()
            assert failed.value.code is Code.RATE_LIMITED
            assert 0 < failed.value.details["retryAfterSeconds"] <= 60
            assert 180 <= exchange.spot.weight.used <= 200
            await exchange.spot.take_budget()


async def test_a_redirected_read_goes_nowhere_else(settings: Settings, paper: PaperServer) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to, tap.answer = b"GET", answer("307 Temporary Redirect", "", "location: /api/v3/ping")
        with pytest.raises(BrokerError) as failed:
            await exchange.spot.account()
        assert failed.value.code is Code.BINANCE_UNAVAILABLE
