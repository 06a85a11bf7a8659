"""What is read of futures, through the real ccxt, against the paper exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from broker.clock import to_ms, utc_now
from broker.errors import BrokerError, Code
from broker.exchange import Exchange, Market, OrderRequest
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import Control, connected, submit
from .tap import answer, tapping

pytestmark = pytest.mark.anyio

D = Decimal
BTC, ETH = "BTCUSDT", "ETHUSDT"

LONG = OrderRequest(BTC, "buy", "market", D("0.02"), None, market=Market.FUTURES)
SHORT = OrderRequest(ETH, "sell", "market", D("0.5"), None, market=Market.FUTURES)
REST = OrderRequest(BTC, "buy", "limit", D("0.01"), D(50_000), market=Market.FUTURES)
STOP = OrderRequest(
    BTC, "sell", "stop_loss", D("0.02"), None, D(58_000), reduce_only=True, market=Market.FUTURES
)
TAKE = OrderRequest(
    BTC, "sell", "take_profit", D("0.01"), D(65_900), D(66_000), reduce_only=True, market=Market.FUTURES
)


@pytest.fixture(autouse=True)
async def pinned(control: Control) -> None:
    for symbol, price in ((BTC, "60000"), (ETH, "3000")):
        await control.do("price", symbol=symbol, price=price, market="futures")
        await control.do("liquidity", symbol=symbol, qtyPerLevel="10", market="futures")


async def test_symbols_are_ids_or_unified_and_have_futures_rules(exchange: Exchange) -> None:
    futures = exchange.futures
    assert {futures.symbol(text) for text in (BTC, "BTC/USDT", "BTC/USDT:USDT")} == {BTC}
    rules = futures.rules(BTC)
    assert (rules.tick, rules.step, rules.min_notional) == (D("0.10"), D("0.001"), D(100))
    assert (rules.base, rules.quote, rules.active) == ("BTC", "USDT", True)
    assert {"LIMIT", "MARKET", "STOP_MARKET", "TAKE_PROFIT"} <= rules.order_types
    assert rules.bid_up is not None
    assert rules.ask_down is not None
    assert rules.ask_down < 1 < rules.bid_up
    assert (rules.bid_down, rules.ask_up) == (None, None)


async def test_an_unknown_symbol_names_the_market(exchange: Exchange) -> None:
    with pytest.raises(BrokerError) as failed:
        exchange.futures.symbol("NOSUCH")
    assert failed.value.code is Code.UNKNOWN_SYMBOL
    assert "perpetual" in failed.value.message


async def test_the_market_is_read_like_spots(exchange: Exchange) -> None:
    futures = exchange.futures
    assert (await futures.ticker(BTC))["last"] == 60_000
    book = await futures.book(BTC, 20)
    assert (len(book.bids), len(book.asks)) == (20, 20)
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert book.best_bid < book.best_ask
    assert len(await futures.klines(BTC, "5m", 7)) == 7
    assert len(await futures.trades(BTC, 5)) == 5
    assert (await futures.last_prices())[ETH] == 3_000
    assert await futures.last_price(BTC) == 60_000
    assert await futures.average_price(BTC) == 60_000
    assert abs(await futures.server_time_ms() - to_ms(utc_now())) < 5_000


async def test_markets_are_asked_for_once(exchange: Exchange, control: Control) -> None:
    await exchange.futures.ticker(BTC)
    await exchange.futures.account()
    await exchange.futures.look_up(BTC, "cb-1")
    assert len(await control.requests("GET", "/fapi/v1/exchangeInfo")) == 1


async def test_the_account_has_equity_margin_and_what_is_free(exchange: Exchange, control: Control) -> None:
    before = await exchange.futures.account()
    assert (before.equity_usdt, before.available_usdt) == (D(100_000), D(100_000))
    assert [(item.asset, item.free, item.locked) for item in before.balances] == [("USDT", D(100_000), D(0))]
    assert (before.can_trade, before.hedge_mode) == (True, False)
    opening = (await submit(exchange, LONG)).order
    assert opening is not None
    await control.do("price", symbol=BTC, price="61000", market="futures")
    after = await exchange.futures.account()
    fee = opening.cost * D("0.0005")
    assert after.equity_usdt == 100_000 - fee + 61_000 * D("0.02") - opening.cost
    assert after.available_usdt < after.equity_usdt
    (usdt,) = after.balances
    assert usdt.locked == 61_000 * D("0.02") / 20
    assert opening.timestamp_ms <= after.update_time_ms


async def test_positions_have_a_side_and_a_positive_size(exchange: Exchange, control: Control) -> None:
    assert await exchange.futures.positions() == []
    await submit(exchange, LONG, "cb-long")
    await submit(exchange, SHORT, "cb-short")
    by_symbol = {position.symbol: position for position in await exchange.futures.positions()}
    long, short = by_symbol[BTC], by_symbol[ETH]
    assert (long.side, long.size, long.signed) == ("LONG", D("0.02"), D("0.02"))
    assert (short.side, short.size, short.signed) == ("SHORT", D("0.5"), D("-0.5"))
    assert (long.leverage, long.margin_type, long.mark_price) == (20, "cross", D(60_000))
    assert long.unrealized == (long.mark_price - long.entry_price) * long.size
    assert short.unrealized == (short.entry_price - short.mark_price) * short.size
    assert long.maintenance_margin > 0
    assert [position.symbol for position in await exchange.futures.positions(ETH)] == [ETH]


async def test_leverage_is_read_of_one_and_of_all(exchange: Exchange) -> None:
    now = await exchange.futures.server_time_ms()
    await exchange.futures.set_leverage(BTC, 7, timestamp_ms=now)
    set_now = await exchange.futures.leverage("BTC/USDT")
    assert (set_now.symbol, set_now.leverage, set_now.margin_type) == (BTC, 7, "cross")
    assert {BTC: 7, ETH: 20}.items() <= (await exchange.futures.leverages()).items()
    assert await exchange.futures.max_leverage(BTC) == 125


async def test_the_taker_fee_is_remembered(exchange: Exchange, control: Control) -> None:
    assert await exchange.futures.taker_fee(BTC) == D("0.0005")
    assert await exchange.futures.taker_fee(BTC) == D("0.0005")
    assert len(await control.requests("GET", "/fapi/v1/commissionRate")) == 1


async def test_funding_tells_the_real_interval(exchange: Exchange) -> None:
    funding = await exchange.futures.funding(BTC)
    now = to_ms(utc_now())
    assert funding.last_time_ms <= now + 1_000 < funding.next_time_ms + 1_000
    assert funding.next_time_ms - funding.last_time_ms == funding.interval_hours * 3_600_000
    assert funding.interval_hours == 8
    assert abs(funding.rate) < D("0.03")


async def test_the_position_mode_is_remembered_for_a_moment(exchange: Exchange, control: Control) -> None:
    await exchange.futures.require_one_way()
    await exchange.futures.require_one_way()
    assert len(await control.requests("GET", "/fapi/v1/accountConfig")) == 1


async def test_hedge_mode_is_refused(exchange: Exchange, control: Control) -> None:
    await control.do("position_mode", dual=True)
    with pytest.raises(BrokerError) as failed:
        await exchange.futures.require_one_way()
    assert failed.value.code is Code.HEDGE_MODE_UNSUPPORTED
    assert (await exchange.futures.account()).hedge_mode


async def test_open_orders_have_the_conditional_ones_too(exchange: Exchange) -> None:
    for number, order in enumerate((LONG, REST, STOP, TAKE)):
        await submit(exchange, order, f"cb-{number}")
    orders = {order.client_order_id: order for order in await exchange.futures.open_orders()}
    rest, stop, take = orders["cb-1"], orders["cb-2"], orders["cb-3"]
    assert len(orders) == 3
    assert (rest.type, rest.price, rest.stop_price) == ("limit", D(50_000), None)
    assert (rest.conditional, rest.reduce_only, rest.protective) == (False, False, False)
    assert (stop.type, stop.price, stop.stop_price) == ("stop_market", None, D(58_000))
    assert (stop.conditional, stop.reduce_only, stop.protective) == (True, True, True)
    assert (take.type, take.price, take.stop_price) == ("take_profit", D(65_900), D(66_000))
    assert {order.status for order in orders.values()} == {"open"}
    assert {order.side for order in orders.values()} == {"buy", "sell"}
    assert await exchange.futures.open_orders(ETH) == []


async def test_plain_and_conditional_orders_are_cancelled_by_their_kind(exchange: Exchange) -> None:
    await submit(exchange, LONG, "cb-long")
    plain = (await submit(exchange, REST, "cb-rest")).order
    stop = (await submit(exchange, STOP, "cb-stop")).order
    assert plain is not None
    assert stop is not None
    assert await exchange.futures.cancel(BTC, plain.id) == plain.id
    assert await exchange.futures.cancel(BTC, stop.id, conditional=True) == stop.id
    assert await exchange.futures.open_orders() == []
    for order, conditional in ((plain, False), (stop, True)):
        found = await exchange.futures.look_up(BTC, order.client_order_id, conditional=conditional)
        assert found is not None
        assert found.status == "cancelled"
        with pytest.raises(BrokerError) as failed:
            await exchange.futures.cancel(BTC, order.id, conditional=conditional)
        assert failed.value.code is Code.BINANCE_REFUSED
        assert failed.value.details["binanceCode"] == -2011


async def test_cancelling_all_takes_both_kinds_of_one_symbol(exchange: Exchange) -> None:
    await submit(exchange, LONG, "cb-long")
    orders = [(await submit(exchange, order, f"cb-{order.type}")).order for order in (REST, STOP, TAKE)]
    other = OrderRequest(ETH, "buy", "limit", D("0.5"), D(2_000), market=Market.FUTURES)
    await submit(exchange, other, "cb-eth")
    assert set(await exchange.futures.cancel_all(BTC)) == {order.id for order in orders if order is not None}
    assert await exchange.futures.cancel_all(BTC) == []
    assert [order.client_order_id for order in await exchange.futures.open_orders()] == ["cb-eth"]


async def test_my_trades_tell_what_was_realized(exchange: Exchange, control: Control) -> None:
    await submit(exchange, LONG, "cb-open")
    await control.do("price", symbol=BTC, price="61000", market="futures")
    close = OrderRequest(BTC, "sell", "market", D("0.02"), None, reduce_only=True, market=Market.FUTURES)
    closed = (await submit(exchange, close, "cb-close")).order
    assert closed is not None
    trades = await exchange.futures.my_trades(BTC, 50)
    assert sum(trade["amount"] for trade in trades) == D("0.04")
    of_one = await exchange.futures.my_trades(BTC, 50, order_id=closed.id)
    assert {trade["order"] for trade in of_one} == {closed.id}
    assert sum(Decimal(trade["info"]["realizedPnl"]) for trade in of_one) > 19
    assert {trade["fee"]["currency"] for trade in trades} == {"USDT"}


Call = Callable[[Exchange], Awaitable[Any]]

TICKER = "/fapi/v1/ticker/price"

READS: list[tuple[str, str, Call]] = [
    ("GET", "/fapi/v1/premiumIndex", lambda exchange: exchange.futures.funding(BTC)),
    ("GET", "/fapi/v1/fundingRate", lambda exchange: exchange.futures.funding(BTC)),
    ("GET", "/fapi/v1/premiumIndex", lambda exchange: exchange.futures.average_price(BTC)),
    ("GET", TICKER, lambda exchange: exchange.futures.last_prices()),
    ("GET", "/fapi/v3/account", lambda exchange: exchange.futures.account()),
    ("GET", "/fapi/v1/accountConfig", lambda exchange: exchange.futures.account()),
    ("GET", "/fapi/v1/accountConfig", lambda exchange: exchange.futures.require_one_way()),
    ("GET", "/fapi/v3/positionRisk", lambda exchange: exchange.futures.positions()),
    ("GET", "/fapi/v1/symbolConfig", lambda exchange: exchange.futures.leverage(BTC)),
    ("GET", "/fapi/v1/symbolConfig", lambda exchange: exchange.futures.leverages()),
    ("GET", "/fapi/v1/commissionRate", lambda exchange: exchange.futures.taker_fee(BTC)),
    ("GET", "/fapi/v1/openOrders", lambda exchange: exchange.futures.open_orders()),
    ("GET", "/fapi/v1/openAlgoOrders", lambda exchange: exchange.futures.open_orders()),
    ("GET", "/fapi/v1/order", lambda exchange: exchange.futures.look_up(BTC, "cb-1")),
    ("GET", "/fapi/v1/algoOrder", lambda exchange: exchange.futures.look_up(BTC, "cb-1", conditional=True)),
    ("DELETE", "/fapi/v1/order", lambda exchange: exchange.futures.cancel(BTC, "1")),
    ("DELETE", "/fapi/v1/algoOrder", lambda exchange: exchange.futures.cancel(BTC, "1", conditional=True)),
    ("DELETE", "/fapi/v1/algoOpenOrders", lambda exchange: exchange.futures.cancel_all(BTC)),
    ("GET", "/sapi/v1/account/apiRestrictions", lambda exchange: exchange.futures.restrictions()),
]


@pytest.mark.parametrize("what", [{"do": "drop", "times": 2}, {"do": "html", "http": 200}])
@pytest.mark.parametrize(("method", "path", "call"), READS)
async def test_a_broken_read_is_an_error_and_never_a_figure(
    exchange: Exchange, control: Control, method: str, path: str, call: Call, what: dict[str, Any]
) -> None:
    await control.do("fault", method=method, path=path, when="received", **what)
    with pytest.raises(BrokerError) as failed:
        await call(exchange)
    assert failed.value.code is Code.BINANCE_UNAVAILABLE


@pytest.mark.parametrize("body", ['{"symbol": "BTCUSDT"}', '[{"symbol": "BTCUSDT"}]', '{"a": null}'])
async def test_an_answer_without_its_figures_is_an_error(
    settings: Settings, paper: PaperServer, body: str
) -> None:
    async with tapping(paper.url) as tap, connected(settings, tap.url) as exchange:
        tap.to, tap.answer = b"GET /fapi/", answer("200 OK", body)
        for call in (
            exchange.futures.account(),
            exchange.futures.positions(),
            exchange.futures.leverage(BTC),
            exchange.futures.funding(BTC),
            exchange.futures.look_up(BTC, "cb-1"),
            exchange.futures.require_one_way(),
        ):
            with pytest.raises(BrokerError) as failed:
                await call
            assert failed.value.code is Code.BINANCE_UNAVAILABLE


async def test_a_key_without_futures_is_told_so_everywhere(exchange: Exchange, control: Control) -> None:
    await control.do("permissions", withdraw=False, futures=False)
    for _, path, call in READS:
        if path.startswith("/sapi") or path in ("/fapi/v1/premiumIndex", "/fapi/v1/fundingRate", TICKER):
            continue
        with pytest.raises(BrokerError) as failed:
            await call(exchange)
        assert failed.value.code is Code.FUTURES_NOT_PERMITTED
        assert failed.value.details["binanceCode"] == -2015
    assert exchange.last_error is None
    assert (await exchange.spot.account()).can_trade


async def test_weights_of_both_markets_are_counted_apart(exchange: Exchange) -> None:
    spot = exchange.spot.weight.used
    await asyncio.gather(*(exchange.futures.account() for _ in range(3)))
    assert exchange.spot.weight.used == spot
    assert exchange.futures.weight.used >= 15
    assert exchange.futures.weight.limit == 2400
