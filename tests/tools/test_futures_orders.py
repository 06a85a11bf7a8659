"""Orders on futures: margin, position, leverage, what only reduces, and the position mode."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.errors import Code
from broker.intents import State

from ..support import BTC, Wired, wired
from .support import (
    CLOSE,
    CREATE,
    FAPI_LEVERAGE,
    FAPI_ORDER,
    FUTURES_BUY,
    FUTURES_STOP,
    LEVERAGE,
    checks_of,
    failing,
    figures_of,
    hold_futures_price,
    parked,
    past_the_horizon,
    placed,
    refused,
    trade,
)

pytestmark = pytest.mark.anyio

SELL = {**FUTURES_BUY, "side": "sell"}
LIMIT = {**FUTURES_BUY, "type": "limit", "price": "58000"}


async def test_market_and_limit_go_out_as_asked_and_are_told_whole(futures: Wired) -> None:
    bought = await placed(futures, CREATE, **FUTURES_BUY)
    resting = await placed(futures, CREATE, **LIMIT)
    assert (bought.state, resting.state) == (State.PLACED, State.PLACED)
    first, second = [entry["params"] for entry in await futures.control.requests("POST", FAPI_ORDER)]
    assert (first["type"], first["quantity"], first.get("price")) == ("MARKET", "0.015", None)
    assert (second["type"], second["price"], second["timeInForce"]) == ("LIMIT", "58000", "GTC")
    assert "reduceOnly" not in first
    await futures.reconciler.follow_placed()
    order = (await futures.call("intent_get", intentId=bought.id))["result"]["order"]
    assert (order["status"], order["average"], order["fee"]["asset"]) == ("filled", 60000.1, "USDT")


async def test_a_futures_order_that_was_lost_is_found_by_its_id(futures: Wired) -> None:
    await futures.control.do("fault", when="executed", do="drop", method="POST", path=FAPI_ORDER)
    lost = await placed(futures, CREATE, **FUTURES_BUY)
    assert lost.state is State.UNKNOWN
    await futures.reconciler.settle_unknown()
    assert (await futures.intent(lost.id)).state is State.PLACED
    assert len(await futures.control.requests("POST", FAPI_ORDER)) == 1


async def test_an_entry_is_checked_against_margin_position_and_leverage(futures: Wired) -> None:
    checks = checks_of(await parked(futures, CREATE, **FUTURES_BUY))
    assert list(checks) == ["balance", "order_value", "daily_volume", "position", "leverage"]
    value = Decimal("0.015") * Decimal("60000.1")
    assert Decimal(checks["balance"]["figure"]) == value / 20 + value * Decimal("0.0005")
    assert Decimal(checks["position"]["figure"]) == value
    assert (checks["position"]["limit"], checks["leverage"]["figure"]) == ("5000", "20")


async def test_margin_that_is_not_there_refuses_an_entry_and_no_exit(futures: Wired) -> None:
    await trade(futures, "buy", "0.05")
    await futures.control.do("balance", asset="USDT", free="10", market="futures")
    error = await refused(futures, CREATE, **FUTURES_BUY)
    assert "balance" in failing(error)
    assert (await parked(futures, CREATE, **SELL, reduceOnly=True)).is_exit


async def test_turning_a_position_around_needs_margin_for_what_is_larger_alone(futures: Wired) -> None:
    await trade(futures, "buy", "0.01")
    smaller = checks_of(await parked(futures, CREATE, **{**SELL, "amount": "0.009"}))["balance"]
    larger = checks_of(await parked(futures, CREATE, **{**SELL, "amount": "0.016"}))["balance"]
    sold = Decimal("59999.9")
    assert Decimal(smaller["figure"]) == Decimal("0.009") * sold * Decimal("0.0005")
    assert Decimal(larger["figure"]) == Decimal("0.016") * sold * Decimal("0.0005")


async def test_an_entry_beyond_the_share_of_equity_is_refused_with_open_orders_counted(
    futures: Wired,
) -> None:
    await trade(futures, "buy", "0.05")
    await trade(futures, "buy", "0.02", type="limit", price=Decimal(58_000))
    error = await refused(futures, CREATE, **FUTURES_BUY)
    assert failing(error) == ["position"]
    (check,) = error.details["checks"]
    assert Decimal(check["figure"]) == Decimal("0.085") * Decimal("60000.1")


async def test_resting_orders_of_the_other_side_and_those_that_only_reduce_do_not_count(
    futures: Wired,
) -> None:
    await trade(futures, "buy", "0.05")
    await trade(futures, "sell", "0.05", type="limit", price=Decimal(62_000), reduce_only=True)
    check = checks_of(await parked(futures, CREATE, **FUTURES_BUY))["position"]
    assert Decimal(check["figure"]) == Decimal("0.065") * Decimal("60000.1")


async def test_an_entry_that_makes_the_position_smaller_passes_and_says_that_it_is_large(
    futures: Wired,
) -> None:
    await trade(futures, "sell", "0.12")
    await refused(futures, CREATE, **SELL)
    intent = await parked(futures, CREATE, **FUTURES_BUY)
    check = checks_of(intent)["position"]
    assert (check["passed"], check["enforced"]) == (False, False)
    assert intent.card.stored()["second_tap"] == [f"{check['label']} is above its limit"]
    assert not intent.is_exit


async def test_turning_a_position_around_is_held_against_the_limit_also_when_it_becomes_smaller(
    futures: Wired,
) -> None:
    await trade(futures, "sell", "0.2")
    error = await refused(futures, CREATE, **{**FUTURES_BUY, "amount": "0.3"})
    assert "position" in failing(error)
    assert checks_of(await parked(futures, CREATE, **FUTURES_BUY))["position"]["enforced"] is False


async def test_leverage_above_the_limit_refuses_entries_alone(tmp_path: Path) -> None:
    async with wired(tmp_path, max_leverage=10) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        error = await refused(broker, CREATE, **FUTURES_BUY)
        assert failing(error) == ["leverage"]
        assert error.details["checks"][0]["figure"] == "20"
        assert (await placed(broker, CREATE, **FUTURES_STOP)).state is State.PLACED
        assert (await placed(broker, CLOSE, symbol=BTC)).state is State.PLACED


@pytest.mark.parametrize(
    ("held", "arguments"),
    [
        (None, {**SELL, "reduceOnly": True}),
        (None, FUTURES_STOP),
        ("sell", {**SELL, "reduceOnly": True}),
        ("buy", {**FUTURES_BUY, "reduceOnly": True}),
    ],
)
async def test_what_only_reduces_needs_a_position_that_it_would_reduce(
    futures: Wired, held: str | None, arguments: dict[str, Any]
) -> None:
    if held is not None:
        await trade(futures, held, "0.02")
    error = await refused(futures, CREATE, **arguments)
    assert error.code is Code.NO_POSITION
    assert error.message.endswith("Nothing was parked.")


async def test_what_only_reduces_is_not_sent_when_the_position_is_gone(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CREATE, **FUTURES_STOP)
    await trade(futures, "sell", "0.02")
    settled = await futures.submitted(await futures.approve(intent))
    assert settled.state is State.NOT_SENT
    assert settled.note == f"There is no open position in {BTC}"


async def test_exits_are_never_refused_by_value_volume_position_or_leverage(tmp_path: Path) -> None:
    limits: dict[str, Any] = {
        "max_order_value_usdt": 101,
        "max_daily_volume_usdt": 101,
        "max_position_size_pct": Decimal("0.01"),
        "max_leverage": 1,
    }
    async with wired(tmp_path, **limits) as broker:
        await hold_futures_price(broker)
        for _ in range(5):
            await trade(broker, "buy", "0.5")
        for tool, arguments in (
            (CREATE, FUTURES_STOP),
            (CREATE, {**SELL, "reduceOnly": True}),
            (CLOSE, {"symbol": BTC}),
        ):
            intent = await parked(broker, tool, **arguments)
            assert intent.is_exit
            assert len(intent.card.stored()["second_tap"]) == 2
            assert (await broker.submitted(await broker.approve(intent))).state is State.PLACED
        assert (await broker.call("binance_get_futures_positions"))["positions"] == []


async def test_an_exit_passes_without_the_figures_that_it_does_not_need(
    futures: Wired, subtests: pytest.Subtests
) -> None:
    await trade(futures, "buy", "0.02")
    for path in ("v1/depth", "v1/premiumIndex", "v1/ticker/price", "v3/account", "v1/openAlgoOrders"):
        with subtests.test(path):
            futures.clock.advance(2)
            fault = {"when": "received", "do": "code", "path": f"/fapi/{path}", "http": 503}
            await futures.control.do("fault", **fault)
            error = await refused(futures, CREATE, **FUTURES_BUY)
            assert error.code is Code.BINANCE_UNAVAILABLE
            await futures.control.do("fault", **fault)
            futures.clock.advance(2)
            intent = await parked(futures, CREATE, **SELL, reduceOnly=True)
            assert intent.state is State.PENDING
            await futures.call("intent_cancel", intentId=intent.id)
            await futures.control._client.delete("faults")


async def test_an_exit_needs_its_position_to_be_read(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await futures.control.do(
        "fault", when="received", do="code", path="/fapi/v3/positionRisk", http=503, times=3
    )
    error = await refused(futures, CREATE, **SELL, reduceOnly=True)
    assert error.code is Code.BINANCE_UNAVAILABLE


async def test_a_figure_that_an_exit_lacks_is_shown_as_not_read_and_asks_for_a_second_tap(
    futures: Wired,
) -> None:
    await trade(futures, "buy", "0.02")
    await futures.control.do("fault", when="received", do="code", path="/fapi/v1/depth", http=503)
    intent = await parked(futures, CREATE, **SELL, reduceOnly=True)
    assert checks_of(intent)["order_value"]["figure"] is None
    assert "Order value could not be read" in intent.card.stored()["second_tap"]


async def test_hedge_mode_is_refused_when_asked_and_when_sent(
    futures: Wired, subtests: pytest.Subtests
) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CREATE, **FUTURES_BUY)
    await futures.control.do("position_mode", dual=True)
    futures.clock.advance(6)  # the mode is remembered for five seconds
    for tool, arguments in (
        (CREATE, {**FUTURES_BUY, "amount": "0.014"}),
        (CREATE, FUTURES_STOP),
        (CLOSE, {"symbol": BTC}),
        (LEVERAGE, {"symbol": BTC, "leverage": 5}),
    ):
        with subtests.test(tool):
            assert (await refused(futures, tool, **arguments)).code is Code.HEDGE_MODE_UNSUPPORTED
    sent = len(await futures.control.requests("POST", FAPI_ORDER))
    settled = await futures.submitted(await futures.approve(intent))
    assert settled.state is State.NOT_SENT
    assert settled.note is not None and "hedge mode" in settled.note
    assert len(await futures.control.requests("POST", FAPI_ORDER)) == sent


async def test_a_key_without_futures_is_told_so(futures: Wired) -> None:
    await futures.control.do("permissions", futures=False)
    error = await refused(futures, CREATE, **FUTURES_BUY)
    assert error.code is Code.FUTURES_NOT_PERMITTED


async def test_binances_rules_of_futures_are_checked_before_parking(
    futures: Wired, subtests: pytest.Subtests
) -> None:
    rows: list[tuple[dict[str, Any], dict[str, str]]] = [
        ({**FUTURES_BUY, "amount": "0.001"}, {"field": "amount", "minNotional": "100"}),
        ({**FUTURES_BUY, "amount": "121"}, {"field": "amount", "max": "120"}),
        ({**LIMIT, "price": "64000"}, {"field": "price", "max": "63000"}),
        ({**LIMIT, "price": "2000000"}, {"field": "price", "max": "1000000"}),
    ]
    for arguments, details in rows:
        with subtests.test(str(details)):
            error = await refused(futures, CREATE, **arguments)
            assert error.code is Code.ORDER_FILTER
            assert error.details == details


async def test_what_only_reduces_may_be_smaller_than_binances_minimum(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await placed(futures, CREATE, **{**SELL, "amount": "0.001"}, reduceOnly=True)
    assert intent.state is State.PLACED


async def test_the_card_tells_the_position_before_and_after(futures: Wired) -> None:
    await trade(futures, "sell", "0.005")
    intent = await parked(futures, CREATE, **FUTURES_BUY)
    figures = figures_of(intent)
    assert figures["Position now"] == "SHORT 0.005 BTC, entry 59,999.9"
    assert figures["Position after"] == "LONG 0.01 BTC"
    assert figures["Leverage"] == "20×"
    assert any("Reverses the position" in warning for warning in intent.card.stored()["warnings"])


async def test_a_stop_says_how_much_of_the_position_it_covers(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    half = await parked(futures, CREATE, **{**FUTURES_STOP, "amount": "0.010"})
    more = await parked(futures, CREATE, **{**FUTURES_STOP, "amount": "0.030"})
    sentence = "SELL 0.01 BTC at market if last falls to 58,000 (−3.3 %), closes 50 % of your long"
    assert half.summary == sentence
    assert more.summary.endswith("closes 100 % of your long")
    assert more.card.stored()["warnings"] == [
        "Larger than the position: closes the position and nothing more"
    ]


async def test_a_market_entry_into_a_book_too_thin_for_it_is_refused_on_either_side(futures: Wired) -> None:
    await futures.control.do("liquidity", symbol=BTC, qtyPerLevel="0.001", market="futures")
    for side in ("buy", "sell"):
        error = await refused(futures, CREATE, **{**FUTURES_BUY, "side": side, "amount": "1"})
        assert "order_value" in failing(error)


async def test_an_entry_whose_leverage_was_changed_meanwhile_comes_back(futures: Wired) -> None:
    intent = await futures.approve(await parked(futures, CREATE, **FUTURES_BUY))
    now = await futures.exchange.futures.server_time_ms()
    await futures.exchange.futures.set_leverage(BTC, 5, timestamp_ms=now)
    futures.executor.take(intent)
    back = await futures.until(intent, State.PENDING, State.PLACED, State.NOT_SENT)
    assert (back.state, back.note) == (State.PENDING, "Leverage is 5× now, the card said 20×")


@pytest.mark.parametrize("executed", [True, False])
async def test_an_entry_is_not_sent_while_its_leverage_is_being_changed(
    futures: Wired, executed: bool
) -> None:
    entry = await parked(futures, CREATE, **FUTURES_BUY)
    when = "executed" if executed else "received"
    await futures.control.do("fault", when=when, do="drop", method="POST", path=FAPI_LEVERAGE)
    change = await placed(futures, LEVERAGE, symbol=BTC, leverage=5)
    assert change.state is State.UNKNOWN
    error = await refused(futures, CREATE, **{**FUTURES_BUY, "amount": "0.014"})
    assert error.code is Code.BINANCE_UNAVAILABLE

    entry = await futures.approve(entry)
    futures.executor.take(entry)
    await asyncio.wait(futures.executor._running.values())
    assert (await futures.intent(entry.id)).state is State.APPROVED, "for now"
    assert await futures.control.requests("POST", FAPI_ORDER) == []
    if executed:
        await past_the_horizon(futures, change)
        await futures.reconciler.settle_unknown()
        futures.executor.take(entry)
        back = await futures.until(entry, State.PENDING, State.PLACED, State.NOT_SENT)
        assert (back.state, back.note) == (State.PENDING, "Leverage is 5× now, the card said 20×")
    else:
        futures.clock.advance(31)
        late = await futures.submitted(entry)
        assert late.note is not None
        assert late.note.startswith("the approval is too old")
        assert "; The leverage of BTCUSDT is being changed" in late.note


async def test_an_exit_goes_out_while_the_leverage_is_being_changed(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await futures.control.do("fault", when="received", do="drop", method="POST", path=FAPI_LEVERAGE)
    assert (await placed(futures, LEVERAGE, symbol=BTC, leverage=5)).state is State.UNKNOWN
    assert (await placed(futures, CLOSE, symbol=BTC)).state is State.PLACED
