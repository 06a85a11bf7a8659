"""An exit is asked for and sent whatever fails that it does not need."""

from __future__ import annotations

import asyncio
from time import time
from typing import Any

import pytest

from broker.errors import Code
from broker.exchange.weight import Weight
from broker.intents import Intent, State

from ..support import BTC, Wired, running
from .support import CLOSE, CREATE, FUTURES_BUY, parked, refused, trade

pytestmark = pytest.mark.anyio

SELL: dict[str, Any] = {"symbol": BTC, "side": "sell", "amount": "0.015"}

EXITS = {
    "spot": (CREATE, SELL),
    "futures": (CREATE, {**SELL, "market": "futures", "reduceOnly": True}),
    "close": (CLOSE, {"symbol": BTC}),
}


@pytest.fixture(params=EXITS)
async def leaving(futures: Wired, request: pytest.FixtureRequest) -> Intent:
    """An exit of each kind, approved and in nobody's hands yet."""
    await futures.control.do("balance", asset="BTC", free="0.05")
    await trade(futures, "buy", "0.05")
    tool, arguments = EXITS[request.param]
    return await futures.approve(await parked(futures, tool, **arguments))


NOT_NEEDED = {
    "spot": (
        "/api/v3/depth",
        "/api/v3/avgPrice",
        "/api/v3/ticker/price",
        "/api/v3/openOrders",
    ),
    "futures": (
        "/fapi/v1/depth",
        "/fapi/v1/premiumIndex",
        "/fapi/v1/ticker/price",
        "/fapi/v1/openOrders",
        "/fapi/v1/openAlgoOrders",
        "/fapi/v3/account",
        "/fapi/v1/commissionRate",
    ),
}


@pytest.mark.parametrize("fails", [{"do": "code", "http": 503}, {"do": "hang", "seconds": 20}])
async def test_nothing_that_fails_or_hangs_between_approval_and_submission_holds_an_exit_up(
    futures: Wired, leaving: Intent, fails: dict[str, Any]
) -> None:
    futures.clock.advance(2)  # what was read when it was asked for is remembered no longer
    for path in NOT_NEEDED[leaving.market]:
        fault = {"when": "received", "method": "GET", "path": path, "times": 99}
        await futures.control.do("fault", **fault, **fails)
    async with asyncio.timeout(2):
        assert (await futures.submitted(leaving)).state is State.PLACED
    await futures.control._client.delete("faults")


@pytest.mark.parametrize("step_ms", [-30_000, 30_000])
async def test_a_clock_that_was_set_between_approval_and_submission_does_not_put_an_exit_away(
    futures: Wired, leaving: Intent, step_ms: int
) -> None:
    await futures.control.do("clock", offset_ms=step_ms)
    async with running(futures.executor.run()):
        assert (await futures.submitted(leaving)).state is State.PLACED


async def test_an_exit_is_asked_for_while_what_it_does_not_need_hangs(futures: Wired) -> None:
    await futures.control.do("balance", asset="BTC", free="0.05")
    fault = {"when": "received", "do": "hang", "method": "GET", "path": "/api/v3/avgPrice", "seconds": 20}
    await futures.control.do("fault", **fault, times=99)
    async with asyncio.timeout(2):
        assert (await parked(futures, CREATE, **SELL)).is_exit
    await futures.control._client.delete("faults")


def spend(monkeypatch: pytest.MonkeyPatch, broker: Wired, pct: int) -> None:
    """So much of the minute's weight is used, on spot and on futures."""
    monkeypatch.setattr(Weight, "used", property(lambda weight: weight.limit * pct // 100))


async def test_weight_that_agents_may_not_use_is_there_for_an_exit(
    futures: Wired, leaving: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(monkeypatch, futures, 91)
    assert (await futures.submitted(leaving)).state is State.PLACED


async def test_no_exit_queues_behind_what_agents_read(futures: Wired, leaving: Intent) -> None:
    for venue in (futures.exchange.spot, futures.exchange.futures):
        full = {"timestamp": time() * 1000, "cost": venue._reader.throttler.config["maxWeight"]}
        venue._reader.throttler.timestamps.append(full)
    reading = asyncio.create_task(futures.call("binance_get_account", market=leaving.market))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(2):
        assert (await futures.submitted(leaving)).state is State.PLACED
    assert not reading.done()
    reading.cancel()


async def test_agents_stop_while_there_is_weight_left(
    futures: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    await futures.control.do("balance", asset="BTC", free="0.05")
    spend(monkeypatch, futures, 81)
    for tool, arguments in (
        ("binance_get_ticker", {"symbol": BTC}),
        ("binance_get_account", {}),
        (CREATE, FUTURES_BUY),
        (CREATE, {**SELL, "side": "buy"}),
    ):
        assert (await refused(futures, tool, **arguments)).code is Code.RATE_LIMITED
    assert (await parked(futures, CREATE, **SELL)).is_exit
    await futures.call("binance_cancel_all_orders", symbol=BTC)
    spend(monkeypatch, futures, 91)
    assert (await refused(futures, "binance_cancel_all_orders", symbol=BTC)).code is Code.RATE_LIMITED
    assert (await parked(futures, CREATE, **{**SELL, "amount": "0.016"})).is_exit


async def test_what_a_trader_approved_and_what_is_unknown_may_use_all_weight(
    futures: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = await futures.approved(symbol=BTC, side="buy", amount="0.015")
    spend(monkeypatch, futures, 91)
    await futures.control.fault("executed", "drop")
    assert (await futures.submitted(intent)).state is State.UNKNOWN
    await futures.reconciler.settle_unknown()
    assert (await futures.intent(intent.id)).state is State.PLACED


async def test_what_is_asked_of_orders_by_itself_leaves_room_for_an_exit_and_a_trader(
    futures: Wired, leaving: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = await futures.approved(symbol=BTC, side="buy", amount="0.015")
    await futures.control.fault("executed", "drop")
    assert (await futures.submitted(unknown)).state is State.UNKNOWN
    spend(monkeypatch, futures, 96)
    async with running(futures.reconciler.run()):
        assert (await futures.submitted(leaving)).state is State.PLACED
    assert await futures.control.requests("GET") == []
    await futures.reconciler.settle(await futures.intent(unknown.id))
    assert (await futures.intent(unknown.id)).state is State.PLACED


async def test_what_is_asked_of_orders_does_not_queue_behind_what_agents_read(
    futures: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = await futures.approved(symbol=BTC, side="buy", amount="0.015")
    await futures.control.fault("executed", "drop")
    assert (await futures.submitted(unknown)).state is State.UNKNOWN
    spend(monkeypatch, futures, 94)
    throttler = futures.exchange.spot._reader.throttler
    throttler.timestamps.append({"timestamp": time() * 1000, "cost": throttler.config["maxWeight"]})
    async with running(futures.reconciler.run()):
        assert (await futures.until(unknown, State.PLACED)).order_status == "filled"
