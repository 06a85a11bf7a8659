"""Requests and orders that work against each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from broker.intents import Intent
from broker.orders.collisions import opposite

from ..support import BTC, BUY, NOON, REST, Wired, changed
from ..tools.support import CLOSE, LEVERAGE, figures_of, parked, trade, trade_spot

pytestmark = pytest.mark.anyio

SELL = {**BUY, "side": "sell"}


async def selling(broker: Wired) -> Intent:
    await broker.control.do("balance", asset="BTC", free="0.05")
    return await broker.park(**SELL)


async def test_a_request_on_the_other_side_is_told_with_its_agent_and_its_time(broker: Wired) -> None:
    sell = replace(await selling(broker), agent="agent-b")
    buy = await broker.park(**BUY)
    now = sell.expires_at - timedelta(minutes=3, seconds=10)
    assert opposite(buy, [sell, buy], now) == ["agent-b SELL 0.015 BTC, 3:10 left"]
    assert opposite(sell, [sell, buy], NOON) == ["default BUY 0.015 BTC, 5:00 left"]


async def test_what_has_expired_or_is_on_the_same_side_or_elsewhere_is_not(broker: Wired) -> None:
    sell = await selling(broker)
    buy, other = await broker.park(**BUY), await broker.park(**REST)
    assert opposite(buy, [other, buy], NOON) == []
    assert opposite(buy, [sell], sell.expires_at) == []
    assert opposite(buy, [replace(sell, market="futures")], NOON) == []
    elsewhere = replace(sell, arguments=changed(sell.arguments, symbol="ETHUSDT"))
    assert opposite(buy, [elsewhere], NOON) == []


async def test_closing_counts_with_its_side_and_a_setting_has_none(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    close = await parked(futures, CLOSE, symbol=BTC)
    buy = await futures.park(**BUY, market="futures")
    setting = await parked(futures, LEVERAGE, symbol=BTC, leverage=5)
    pending = [close, buy, setting]
    assert opposite(buy, pending, NOON) == ["default CLOSE LONG 0.02 BTC, 30:00 left"]
    assert opposite(setting, pending, NOON) == []


async def test_own_resting_orders_that_it_would_trade_with_stand_on_the_card(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    await trade_spot(broker, "sell", "0.01", type="limit", price=Decimal(61_000))
    crossing = await broker.park(**{**REST, "price": "61000"})
    short_of_it = await broker.park(**{**REST, "price": "60999.99"})
    assert figures_of(crossing)["Trades against your own order"] == "limit SELL 0.01 at 61,000"
    assert "Trades against your own order" not in figures_of(short_of_it)
