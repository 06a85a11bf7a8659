"""Futures orders, conditional orders, closes, leverages: one POST each, and a verdict that is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker.intents import Intent, State

from .support import BTC, Wired, eventually, wired
from .tools.support import (
    CLOSE,
    CREATE,
    FAPI_ALGO,
    FAPI_LEVERAGE,
    FAPI_ORDER,
    FUTURES_BUY,
    FUTURES_STOP,
    LEVERAGE,
    hold_futures_price,
    parked,
    past_the_horizon,
    trade,
)

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Kind:
    tool: str
    arguments: Mapping[str, Any]
    path: str


KINDS = {
    "order": Kind(CREATE, FUTURES_BUY, FAPI_ORDER),
    "conditional": Kind(CREATE, FUTURES_STOP, FAPI_ALGO),
    "close": Kind(CLOSE, {"symbol": BTC}, FAPI_ORDER),
    "leverage": Kind(LEVERAGE, {"symbol": BTC, "leverage": 10}, FAPI_LEVERAGE),
}

FAULTS: list[tuple[dict[str, Any], State]] = [
    ({"when": "executed", "do": "drop"}, State.UNKNOWN),
    ({"when": "executed", "do": "empty"}, State.UNKNOWN),
    ({"when": "received", "do": "drop"}, State.UNKNOWN),
    ({"when": "received", "do": "code", "code": -1007, "http": 408}, State.UNKNOWN),
    ({"when": "received", "do": "code", "code": None, "http": 503, "msg": "Unknown error."}, State.UNKNOWN),
    ({"when": "received", "do": "code", "code": -1008, "http": 503, "msg": "Overloaded"}, State.NOT_SENT),
    ({"when": "received", "do": "code", "code": -1021, "http": 400, "msg": "Too late"}, State.NOT_SENT),
    ({"when": "received", "do": "code", "code": -1003, "http": 429, "msg": "Too many"}, State.NOT_SENT),
    ({"when": "received", "do": "code", "code": -2019, "http": 400, "msg": "Margin"}, State.REFUSED),
]


async def asked(broker: Wired, kind: Kind) -> Intent:
    await hold_futures_price(broker)
    if kind.tool == CLOSE or kind.arguments.get("type") == "stop_loss":
        await trade(broker, "buy", "0.015")
    return await broker.approve(await parked(broker, kind.tool, **kind.arguments))


async def happened(broker: Wired, kind: Kind, intent: Intent) -> bool:
    """Whether it was carried out, as the exchange knows it."""
    if kind.tool == LEVERAGE:
        exposures = broker.paper.futures.summary().exposures
        return any((one.position.symbol, one.position.leverage) == (BTC, 10) for one in exposures)
    told = await broker.control.get("orders?market=futures")
    mine = f"cb-{intent.id}"
    ids = [order["clientOrderId"] for order in told["orders"]]
    ids += [algo["clientAlgoId"] for algo in told["algos"]]
    assert ids.count(mine) <= 1
    return mine in ids


@pytest.mark.parametrize("name", KINDS)
async def test_it_is_placed_with_one_post(broker: Wired, name: str) -> None:
    kind = KINDS[name]
    intent = await asked(broker, kind)
    before = len(await broker.control.requests("POST", kind.path))
    settled = await broker.submitted(intent)
    assert settled.state is State.PLACED
    assert await happened(broker, kind, intent)
    assert len(await broker.control.requests("POST", kind.path)) == before + 1


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("fault", "verdict"), FAULTS, ids=lambda it: str(it) if isinstance(it, State) else ""
)
async def test_whatever_breaks_the_end_is_the_exchanges_truth(
    tmp_path: Path, name: str, fault: dict[str, Any], verdict: State
) -> None:
    kind = KINDS[name]
    async with wired(tmp_path) as broker:
        intent = await asked(broker, kind)
        before = len(await broker.control.requests("POST", kind.path))
        await broker.control.do("fault", method="POST", path=kind.path, **fault)
        assert (await broker.submitted(intent)).state is verdict
        await broker.reconciler.settle_unknown()
        begun = await broker.intent(intent.id)
        carried_out = await happened(broker, kind, intent)
        if verdict is State.UNKNOWN and name == "leverage":
            assert begun.state is State.UNKNOWN, "what is set may be another's doing before the horizon"
            await past_the_horizon(broker, begun)
            await broker.reconciler.settle_unknown()
            begun = await broker.intent(intent.id)
        if carried_out or verdict is not State.UNKNOWN:
            assert begun.state is (State.PLACED if carried_out else verdict)
        else:
            assert begun.state is State.UNKNOWN, "not before the horizon"
            await past_the_horizon(broker, begun)
            for _ in range(2):
                await broker.reconciler.settle_unknown()
            assert (await broker.intent(intent.id)).state is State.NOT_SENT
        assert len(await broker.control.requests("POST", kind.path)) == before + 1
        assert await happened(broker, kind, intent) is carried_out
        assert await broker.audit_holds()


async def test_a_conditional_order_is_followed_from_its_trigger_to_its_fill(broker: Wired) -> None:
    intent = await broker.submitted(await asked(broker, KINDS["conditional"]))
    assert (intent.order_status, intent.namespace) == ("open", "futures_algo")
    await hold_futures_price(broker, "57900")
    await broker.reconciler.follow_placed()
    filled = await broker.intent(intent.id)
    assert filled.order is not None
    assert (filled.order_status, filled.order.stored()["filled"]) == ("filled", "0.015")
    assert filled.order.stored()["fee"]["asset"] == "USDT"
    assert await broker.exchange.futures.positions(BTC) == []


async def test_a_triggered_order_that_is_not_found_does_not_undo_the_conditional_one(broker: Wired) -> None:
    """Its answer was lost, it was triggered, and the look-up lags behind: it was executed all the same."""
    kind = KINDS["conditional"]
    intent = await asked(broker, kind)
    await broker.control.do("fault", method="POST", path=kind.path, when="executed", do="drop")
    lost = await broker.submitted(intent)
    assert lost.state is State.UNKNOWN
    await hold_futures_price(broker, "57900")
    await past_the_horizon(broker, lost)
    lags = {"method": "GET", "path": FAPI_ORDER, "when": "received", "do": "code", "http": 400}
    await broker.control.do("fault", **lags, code=-2013, msg="Order does not exist.", times=3)
    for _ in range(3):
        await broker.reconciler.settle_unknown()
    found = await broker.intent(lost.id)
    assert (found.state, found.order_status) == (State.PLACED, "open")
    await broker.control._client.delete("faults")
    await broker.reconciler.follow_placed()
    assert (await broker.intent(lost.id)).order_status == "filled"


async def test_two_leverages_of_one_symbol_are_never_under_way_at_once(broker: Wired) -> None:
    await hold_futures_price(broker)
    first = await broker.approve(await parked(broker, LEVERAGE, symbol=BTC, leverage=10))
    second = await broker.approve(await parked(broker, LEVERAGE, symbol=BTC, leverage=5))
    await broker.control.do("fault", method="POST", path=FAPI_LEVERAGE, when="received", do="drop")
    assert (await broker.submitted(first)).state is State.UNKNOWN
    assert (await broker.submitted(second)).state is State.NOT_SENT
    assert len(await broker.control.requests("POST", FAPI_LEVERAGE)) == 1


async def test_no_exit_waits_for_the_figures_of_entries(tmp_path: Path) -> None:
    async with wired(tmp_path, patience=5.0, max_position_size_pct=50) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        amounts = ("0.003", "0.004", "0.005")
        entries = [await parked(broker, CREATE, **{**FUTURES_BUY, "amount": amount}) for amount in amounts]
        leaving = await broker.approve(await parked(broker, CLOSE, symbol=BTC))
        broker.clock.advance(2)  # what was read for the cards is remembered no longer
        hangs = {"when": "received", "do": "hang", "seconds": 20, "times": 99}
        await broker.control.do("fault", method="GET", path="/fapi/v1/premiumIndex", **hangs)
        for entry in entries:
            broker.executor.take(await broker.approve(entry))
        await eventually(lambda: _hangs(broker))
        async with asyncio.timeout(4):
            assert (await broker.submitted(leaving)).state is State.PLACED
        assert [(await broker.intent(entry.id)).state for entry in entries] == [State.APPROVED] * 3
        for waiting in list(broker.executor._running.values()):
            waiting.cancel()
        await broker.control._client.delete("faults")


async def _hangs(broker: Wired) -> bool:
    return bool(await broker.control.requests("GET", "/fapi/v1/premiumIndex"))


async def test_an_entry_that_an_exit_came_between_counts_it(tmp_path: Path) -> None:
    """Checked beside a short position that an exit is closing already, it would open a long one."""
    async with wired(tmp_path, max_position_size_pct=1) as broker:
        await hold_futures_price(broker)
        await broker.control.do("balance", asset="USDT", free="9000", market="futures")
        await trade(broker, "sell", "0.015")
        entry = await broker.approve(await parked(broker, CREATE, **FUTURES_BUY))
        leaving = await broker.approve(await parked(broker, CLOSE, symbol=BTC))
        await broker.control.do("fault", method="GET", path="/fapi/v3/account", when="received", do="hold")
        broker.executor.take(entry)
        await broker.control.held()
        await broker.control.do("fault", method="POST", path=FAPI_ORDER, when="received", do="drop")
        assert (await broker.submitted(leaving)).state is State.UNKNOWN
        await broker.control.do("release")
        stopped = await broker.until(entry, State.NOT_SENT, State.PLACED, State.PENDING)
        assert stopped.state is State.NOT_SENT
        assert stopped.note is not None and "position after" in stopped.note
