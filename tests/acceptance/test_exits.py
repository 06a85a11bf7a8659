"""A sale that buys something passes no halt and no limit, through the whole process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .people import agent, control, orders_at
from .processes import BrokerProcess, ModuleProcess, PaperProcess, environment

pytestmark = pytest.mark.anyio

ETH_FOR_BTC = {"symbol": "ETHBTC", "side": "sell", "amount": "5"}
DOLLARS_FOR_REAIS = {"symbol": "USDTBRL", "side": "sell", "amount": "90000"}
ETH_FOR_DOLLARS = {"symbol": "ETHUSDT", "side": "sell", "amount": "5"}


def only_exits(broker: BrokerProcess, folder: Path) -> None:
    data = str(broker.folder / "data")
    settings = environment(PORT=str(broker.port), DATA_DIR=data)
    halting = ModuleProcess("broker", "halt", "--exits-only", cwd=folder, env=settings)
    halting.wait_for("nly exits are allowed")
    assert halting.wait(60) == 0
    halting.stop()


async def test_with_exits_only_neither_money_nor_coins_are_exchanged_for_something_else(
    tmp_path: Path, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await control(exchange.url, "balance", asset="ETH", free="10")
    only_exits(broker, tmp_path)
    async with agent(broker) as asking:
        for sale in (ETH_FOR_BTC, DOLLARS_FOR_REAIS):
            refused = await asking.call("binance_create_order", **sale)
            assert (refused["success"], refused["error"]) == (False, "RISK_CHECK_FAILED")
        for sale in (small(ETH_FOR_BTC, "0.01"), small(DOLLARS_FOR_REAIS, "50")):
            refused = await asking.call("binance_create_order", **sale)
            assert (refused["success"], refused["error"]) == (False, "TRADING_HALTED")
            assert "a spot sale, for cash, of something held that is not cash" in refused["message"]
        assert (await asking.call("intent_list"))["count"] == 0
        await asking.park(**ETH_FOR_DOLLARS)  # above every limit, and an exit
    assert await orders_at(exchange.url) == []


async def test_above_the_limits_a_sale_is_refused_with_the_figures_of_what_it_buys(
    broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await control(exchange.url, "balance", asset="ETH", free="10")
    async with agent(broker) as asking:
        assert await failing(asking, ETH_FOR_BTC) == {"order_value", "daily_volume", "position"}
        assert await failing(asking, DOLLARS_FOR_REAIS) == {"order_value", "daily_volume"}
        await asking.park(**ETH_FOR_DOLLARS)


async def failing(asking: Any, order: dict[str, str]) -> set[str]:
    refused = await asking.call("binance_create_order", **order)
    assert refused["error"] == "RISK_CHECK_FAILED", refused
    return {check["name"] for check in refused["details"]["checks"]}


def small(order: dict[str, str], amount: str) -> dict[str, str]:
    return {**order, "amount": amount}
