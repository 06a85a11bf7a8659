"""What the trader reads of a spot order: the sentence first, then the figures that matter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broker.errors import Code
from broker.orders.context import Context
from broker.tools import HIGH

from ..support import BTC, BUY, REST, Wired, wired
from .support import CREATE, FUTURES_BUY, LEVERAGE, checks_of, figures_of, parked, refused

pytestmark = pytest.mark.anyio

SELL = {**BUY, "side": "sell"}
STOP = {**SELL, "type": "stop_loss", "stopPrice": "58000"}

SENTENCES: list[tuple[dict[str, Any], str]] = [
    (
        BUY,
        "BUY 0.015 BTC at market ≈ 900.00 USDT, sent only at 60,300.01 or better, "
        "checked just before sending",
    ),
    (REST, "LIMIT BUY 0.015 BTC at 58,000, 3.3 % below market, rests until cancelled, locks 870.00 USDT"),
    (
        {**SELL, "type": "limit", "price": "63000"},
        "LIMIT SELL 0.015 BTC at 63,000, 5.0 % above market, rests until cancelled, locks 0.015 BTC",
    ),
    (
        {**SELL, "type": "limit", "price": "58000"},
        "LIMIT SELL 0.015 BTC at 58,000, 3.3 % BELOW market: fills now",
    ),
    (STOP, "SELL 0.015 BTC at market if last falls to 58,000 (−3.3 %), locks 0.015 BTC"),
    (
        {**STOP, "price": "57900"},
        "SELL 0.015 BTC at 57,900 or better if last falls to 58,000 (−3.3 %), locks 0.015 BTC",
    ),
    (
        {**BUY, "type": "stop_loss", "stopPrice": "62000"},
        "BUY 0.015 BTC at market if last rises to 62,000 (+3.3 %), locks 930.00 USDT",
    ),
    (
        {**SELL, "type": "take_profit", "stopPrice": "66000"},
        "SELL 0.015 BTC at market if last rises to 66,000 (+10.0 %), locks 0.015 BTC",
    ),
    (
        {**STOP, "amount": "0.05"},
        "SELL 0.05 BTC at market if last falls to 58,000 (−3.3 %), locks 0.05 BTC, ALL your free BTC",
    ),
]


async def test_each_kind_of_order_has_its_sentence(broker: Wired, subtests: pytest.Subtests) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    for arguments, sentence in SENTENCES:
        with subtests.test(sentence):
            assert (await parked(broker, CREATE, **arguments)).summary == sentence


async def test_the_figures_are_those_of_the_market_and_the_account(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    assert figures_of(await broker.park(**BUY)) == {
        "Market when asked": "60,000.01 USDT",
        "Book average, slippage": "60,000.01, 0.00 %",
        "Value, share of equity": "900.00 USDT, 0.9 %",
        "BTC now": "0.05",
        "BTC after": "0.065",
        "Free USDT": "100,000.00",
        "All pending vs free": "900.90 of 100,000.00 USDT",
        "Agent checked": "nothing",
    }


async def test_what_the_agent_read_of_the_market_stands_on_the_card(broker: Wired) -> None:
    await broker.call("binance_get_klines", symbol=BTC)
    broker.clock.advance(28)
    await broker.call("binance_get_orderbook", symbol=BTC)
    broker.clock.advance(12)
    assert figures_of(await broker.park(**BUY))["Agent checked"] == "Order book 12 s ago, Candles 40 s ago"
    (figure,) = [
        one for one in (await broker.park(**REST)).card.stored()["figures"] if one["label"] == "Agent checked"
    ]
    assert figure["tone"] == "plain"


async def test_an_agent_that_read_nothing_stands_out(broker: Wired) -> None:
    await broker.call("binance_get_ticker", symbol="ETHUSDT")
    (figure,) = [
        one for one in (await broker.park(**BUY)).card.stored()["figures"] if one["label"] == "Agent checked"
    ]
    assert (figure["value"], figure["tone"]) == ("nothing", "warn")


async def test_what_was_read_of_spot_was_not_read_of_futures(futures: Wired) -> None:
    """Nor the other way round: of futures it is the funding rate that agents can read."""
    await futures.call("binance_get_orderbook", symbol=BTC)
    intent = await parked(futures, CREATE, **FUTURES_BUY)
    assert figures_of(intent)["Agent checked"] == "nothing"
    await futures.call("binance_get_funding_rate", symbol=BTC)
    futures.clock.advance(1)
    for tool, arguments in (
        (CREATE, {**FUTURES_BUY, "amount": "0.014"}),
        (LEVERAGE, {"symbol": BTC, "leverage": 5}),
    ):
        intent = await parked(futures, tool, **arguments)
        assert figures_of(intent)["Agent checked"] == "Funding rate 1 s ago"
    assert figures_of(await parked(futures, CREATE, **BUY))["Agent checked"] == "Order book 1 s ago"


async def test_a_request_shown_anew_does_not_say_that_nobody_looked(broker: Wired) -> None:
    await broker.call("binance_get_orderbook", symbol=BTC)
    intent = await broker.approved(**BUY)
    await broker.control.do("price", symbol=BTC, price="61000")
    broker.executor.take(intent)
    moved = await broker.until(intent, "pending")  # type: ignore[arg-type]
    assert "Agent checked" not in figures_of(moved)


async def test_an_exit_is_never_refused_by_value_or_volume_however_it_was_bought(tmp_path: Path) -> None:
    async with wired(tmp_path, max_order_value_usdt=1000, max_daily_volume_usdt=2800) as broker:
        for number in range(3):
            bought = await broker.approved(**BUY, idempotencyKey=f"buy number {number}")
            assert (await broker.submitted(bought)).state == "placed"
        await refused(broker, CREATE, **BUY)
        held = "0.04495"
        for arguments in (
            {**STOP, "amount": "0.02"},
            {**SELL, "type": "limit", "price": "62000", "amount": "0.02495"},
        ):
            intent = await parked(broker, CREATE, **arguments)
            assert intent.is_exit
            assert "Volume today with this is above its limit" in intent.card.stored()["second_tap"]
            assert (await broker.submitted(await broker.approve(intent))).state == "placed"
        await broker.call("binance_cancel_all_orders", symbol=BTC)
        everything = await parked(broker, CREATE, **{**SELL, "amount": held})
        assert [name for name, check in checks_of(everything).items() if not check["passed"]] == [
            "order_value",
            "daily_volume",
        ]
        assert (await broker.submitted(await broker.approve(everything))).state == "placed"


async def test_a_spot_exit_passes_without_the_figures_that_it_does_not_need(
    broker: Wired, subtests: pytest.Subtests
) -> None:
    await broker.control.do("balance", asset="BTC", free="0.1")
    for number, path in enumerate(("depth", "avgPrice", "ticker/price", "openOrders")):
        with subtests.test(path):
            broker.clock.advance(2)
            fault = {"when": "received", "do": "code", "path": f"/api/v3/{path}", "http": 503}
            await broker.control.do("fault", **fault)
            intent = await parked(broker, CREATE, **SELL, idempotencyKey=f"exit number {number}")
            assert intent.is_exit
            assert (await broker.control.get("faults"))["faults"] == []
            assert (await broker.submitted(await broker.approve(intent))).state == ("placed")


async def test_an_exit_needs_its_balance_to_be_read(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    await broker.control.do("fault", when="received", do="code", path="/api/v3/account", http=503)
    assert (await refused(broker, CREATE, **SELL)).code is Code.BINANCE_UNAVAILABLE


async def test_an_exit_with_a_tolerance_needs_its_price(tmp_path: Path) -> None:
    async with wired(tmp_path, exit_price_tolerance_pct=1) as broker:
        await broker.control.do("balance", asset="BTC", free="0.05")
        await broker.control.do("fault", when="received", do="code", path="/api/v3/depth", http=503)
        error = await refused(broker, CREATE, **SELL)
        assert error.code is Code.BINANCE_UNAVAILABLE
        assert "no price of BTCUSDT" in error.message


async def test_figures_now_fit_the_kind_of_order(futures: Wired, subtests: pytest.Subtests) -> None:
    await futures.control.do("balance", asset="BTC", free="0.05")
    rows: list[tuple[dict[str, Any], dict[str, str]]] = [
        (BUY, {"Book average now": "60,000.01 USDT (0.0 %)"}),
        (REST, {"Market now": "60,000.01 USDT (0.0 %)", "Limit vs market": "−3.3 %"}),
        (STOP, {"Last price now": "60,000 USDT (0.0 %)", "Trigger vs last price": "−3.3 %"}),
        (FUTURES_BUY, {"Book average now": "60,000.1 USDT (0.0 %)"}),
    ]
    context = Context(
        settings=futures.settings, exchange=futures.exchange, store=futures.store, clock=futures.clock
    )
    for arguments, shown in rows:
        with subtests.test(str(shown)):
            intent = await parked(futures, CREATE, **arguments)
            figures = await HIGH[CREATE].figures_now(context, intent)
            assert {figure.label: figure.value for figure in figures} == shown
