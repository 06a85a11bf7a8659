"""What a spot sale buys decides what is checked: an exit for cash, a position for a coin, cash for cash."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.errors import Code
from broker.exchange.weight import Weight
from broker.halt import Level
from broker.intents import State

from ..support import TRADER, Wired, terms_of, trusted, wired
from .support import CREATE, checks_of, failing, figures_of, parked, refused, trade_spot

pytestmark = pytest.mark.anyio

ETH_FOR_BTC: dict[str, Any] = {"symbol": "ETHBTC", "side": "sell", "amount": "0.2"}
DOLLARS_FOR_REAIS: dict[str, Any] = {"symbol": "USDTBRL", "side": "sell", "amount": "500"}
EUROS_FOR_DOLLARS: dict[str, Any] = {"symbol": "EURUSDT", "side": "sell", "amount": "500"}
DOLLARS_FOR_EUROS: dict[str, Any] = {**EUROS_FOR_DOLLARS, "side": "buy"}


async def set_up(broker: Wired) -> None:
    for symbol, price, depth in (
        ("ETHUSDT", "3000", "50"),
        ("ETHBTC", "0.05", "50"),
        ("USDTBRL", "5.4", "1000000"),
        ("EURUSDT", "1.08", "1000000"),
    ):
        await broker.control.do("price", symbol=symbol, price=price)
        await broker.control.do("liquidity", symbol=symbol, qtyPerLevel=depth)
    await broker.control.do("balance", asset="ETH", free="10")
    await broker.control.do("balance", asset="EUR", free="1000")


@pytest.fixture
async def pairs(broker: Wired) -> Wired:
    await set_up(broker)
    return broker


async def test_a_sale_for_a_coin_is_an_entry_whose_bought_coin_is_checked(pairs: Wired) -> None:
    """With what is held of it, and every open order that brings some, also by hand and in another pair."""
    await pairs.control.do("balance", asset="BTC", free="0.01")
    await trade_spot(pairs, "buy", "0.02", type="limit", price=Decimal(58_000))
    await trade_spot(pairs, "sell", "0.1", symbol="ETHBTC", type="limit", price=Decimal("0.06"))
    intent = await parked(pairs, CREATE, **ETH_FOR_BTC)
    check = checks_of(intent)["position"]
    assert check["label"] == "BTC held after, open orders included"
    sold = Decimal("0.2") * Decimal("0.04999")  # at the best bid
    assert Decimal(check["figure"]) == (Decimal("0.01") + Decimal("0.02") + Decimal("0.006") + sold) * 60_000
    assert (intent.is_exit, intent.ttl_seconds) == (False, 300)
    assert terms_of(intent)["worstPrice"] is not None
    assert intent.card.stored()["warnings"] == ["Buys BTC: this is an entry, not an exit"]
    assert figures_of(intent)["BTC now"] == "0.01"
    assert figures_of(intent)["BTC after"] == "0.019998"


async def test_a_sale_for_a_coin_is_refused_above_the_position_limit(tmp_path: Path) -> None:
    async with wired(tmp_path, max_position_size_pct=1, max_order_value_usdt=5000) as broker:
        await set_up(broker)
        error = await refused(broker, CREATE, **{**ETH_FOR_BTC, "amount": "0.5"})
        assert failing(error) == ["position"]
        await broker.submitted(await broker.approve(await parked(broker, CREATE, **ETH_FOR_BTC)))
        error = await refused(broker, CREATE, **{**ETH_FOR_BTC, "amount": "0.3"})
        assert failing(error) == ["position"], "what the first one bought is held by now"


async def test_a_limit_sale_for_a_coin_that_rests_counts_for_a_buy_of_that_coin(tmp_path: Path) -> None:
    async with wired(tmp_path, max_position_size_pct=1, max_order_value_usdt=5000) as broker:
        await set_up(broker)
        rests = {**ETH_FOR_BTC, "type": "limit", "price": "0.051"}
        placed = await broker.submitted(await broker.approve(await parked(broker, CREATE, **rests)))
        assert placed.state is State.PLACED
        intent = await parked(broker, CREATE, symbol="BTCUSDT", side="buy", amount="0.001")
        figure = Decimal(checks_of(intent)["position"]["figure"])
        assert figure == (Decimal("0.2") * Decimal("0.051") + Decimal("0.001")) * Decimal("60000.01")


@pytest.mark.parametrize("order", [DOLLARS_FOR_REAIS, EUROS_FOR_DOLLARS, DOLLARS_FOR_EUROS])
async def test_cash_for_cash_is_no_exit_and_leaves_no_position(pairs: Wired, order: dict[str, Any]) -> None:
    intent = await parked(pairs, CREATE, **order)
    assert (intent.is_exit, intent.ttl_seconds) == (False, 300)
    checks = checks_of(intent)
    assert checks.keys() == {"balance", "order_value", "daily_volume"}
    assert all(check["enforced"] for check in checks.values())
    assert intent.card.stored()["warnings"] == []
    assert failing(await refused(pairs, CREATE, **{**order, "amount": "1001"})) == [
        *(["balance"] if order is EUROS_FOR_DOLLARS else []),
        "order_value",
    ]
    await pairs.store.halts.set(Level.EXITS_ONLY, TRADER, None, standing=trusted, shown=0)
    error = await refused(pairs, CREATE, **{**order, "amount": "400"})
    assert error.code is Code.TRADING_HALTED
    assert "a spot sale, for cash" in error.message


async def test_a_sale_that_is_no_exit_may_not_use_the_weight_that_is_kept_for_exits(
    pairs: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Weight, "used", property(lambda weight: weight.limit * 81 // 100))
    for order in (ETH_FOR_BTC, DOLLARS_FOR_REAIS, EUROS_FOR_DOLLARS):
        assert (await refused(pairs, CREATE, **order)).code is Code.RATE_LIMITED
    assert (await parked(pairs, CREATE, symbol="ETHUSDT", side="sell", amount="0.2")).is_exit


async def test_what_counts_as_cash_is_a_setting(tmp_path: Path) -> None:
    async with wired(tmp_path, cash_assets="USDT") as broker:
        await set_up(broker)
        assert (await parked(broker, CREATE, **EUROS_FOR_DOLLARS)).is_exit
        bought = await parked(broker, CREATE, **{**DOLLARS_FOR_EUROS, "amount": "100"})
        assert "position" in checks_of(bought)
