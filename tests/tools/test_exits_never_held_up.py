"""An exit is asked for and sent whatever fails that it does not need."""

from __future__ import annotations

from typing import Any

import pytest

from broker.errors import Code
from broker.exchange.weight import Weight
from broker.intents import Intent, State

from ..support import BTC, Wired
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


def spend(monkeypatch: pytest.MonkeyPatch, broker: Wired, pct: int) -> None:
    """So much of the minute's weight is used, on spot and on futures."""
    monkeypatch.setattr(Weight, "used", property(lambda weight: weight.limit * pct // 100))


async def test_weight_that_agents_may_not_use_is_there_for_an_exit(
    futures: Wired, leaving: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    spend(monkeypatch, futures, 91)
    assert (await futures.submitted(leaving)).state is State.PLACED


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
