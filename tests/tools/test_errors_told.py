"""What each tool refuses, over POST /tools with its status and over both eras of MCP with `isError`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from broker.tools import TOOLS

from ..support import BTC, BUY, REST, Wired, served
from .support import CLOSE, CREATE, FUTURES_BUY, FUTURES_STOP, LEVERAGE, WAYS, Ask, asking, trade

pytestmark = pytest.mark.anyio

NOPE = {"symbol": "NOPEUSDT"}
FUTURES = {"market": "futures"}
SELL = {**BUY, "side": "sell"}
ENTRY_STOP = {**FUTURES_STOP, "reduceOnly": False}

ONE, ALL = "binance_cancel_order", "binance_cancel_all_orders"
BOOK, KLINES, TRADES = "binance_get_orderbook", "binance_get_klines", "binance_get_trades"
INFO, FUNDING = "binance_get_exchange_info", "binance_get_funding_rate"
OPEN, HISTORY = "binance_get_open_orders", "binance_get_trade_history"
POSITIONS, ACCOUNT = "binance_get_futures_positions", "binance_get_account"

Row = tuple[str, dict[str, Any], str, int]

NOTHING: list[Row] = [
    ("binance_get_ticker", NOPE, "UNKNOWN_SYMBOL", 400),
    ("binance_get_ticker", {}, "INVALID_ARGUMENTS", 400),
    (BOOK, NOPE, "UNKNOWN_SYMBOL", 400),
    (BOOK, {"symbol": BTC, "limit": 4}, "INVALID_ARGUMENTS", 400),
    (BOOK, {"symbol": BTC, "limit": 101}, "INVALID_ARGUMENTS", 400),
    (KLINES, NOPE, "UNKNOWN_SYMBOL", 400),
    (KLINES, {"symbol": BTC, "limit": 0}, "INVALID_ARGUMENTS", 400),
    (KLINES, {"symbol": BTC, "limit": 501}, "INVALID_ARGUMENTS", 400),
    (KLINES, {"symbol": BTC, "interval": "2m"}, "INVALID_ARGUMENTS", 400),
    (TRADES, NOPE, "UNKNOWN_SYMBOL", 400),
    (TRADES, {"symbol": BTC, "limit": 0}, "INVALID_ARGUMENTS", 400),
    (TRADES, {"symbol": BTC, "limit": 101}, "INVALID_ARGUMENTS", 400),
    (INFO, NOPE, "UNKNOWN_SYMBOL", 400),
    (FUNDING, NOPE, "UNKNOWN_SYMBOL", 400),
    (ACCOUNT, {"market": "margin"}, "INVALID_ARGUMENTS", 400),
    (OPEN, NOPE, "UNKNOWN_SYMBOL", 400),
    (OPEN, {**NOPE, **FUTURES}, "UNKNOWN_SYMBOL", 400),
    (HISTORY, NOPE, "UNKNOWN_SYMBOL", 400),
    (HISTORY, {**NOPE, **FUTURES}, "UNKNOWN_SYMBOL", 400),
    (HISTORY, {"symbol": BTC, "limit": 0}, "INVALID_ARGUMENTS", 400),
    (HISTORY, {"symbol": BTC, "limit": 101}, "INVALID_ARGUMENTS", 400),
    (HISTORY, {"symbol": BTC, "limit": 0, **FUTURES}, "INVALID_ARGUMENTS", 400),
    (HISTORY, {"symbol": BTC, "limit": 101, **FUTURES}, "INVALID_ARGUMENTS", 400),
    (POSITIONS, NOPE, "UNKNOWN_SYMBOL", 400),
    (ONE, {**NOPE, "orderId": "1"}, "UNKNOWN_SYMBOL", 400),
    (ONE, {**NOPE, "orderId": "1", **FUTURES}, "UNKNOWN_SYMBOL", 400),
    (ONE, {"symbol": BTC}, "INVALID_ARGUMENTS", 400),
    (ALL, NOPE, "UNKNOWN_SYMBOL", 400),
    (ALL, {**NOPE, **FUTURES}, "UNKNOWN_SYMBOL", 400),
    (CREATE, {**BUY, **NOPE}, "UNKNOWN_SYMBOL", 400),
    (CREATE, {**FUTURES_BUY, **NOPE}, "UNKNOWN_SYMBOL", 400),
    (CREATE, {**BUY, "type": "limit"}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**FUTURES_BUY, "type": "limit"}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**BUY, "type": "stop_loss"}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**BUY, "type": "take_profit", "price": 61_000}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**BUY, "amount": "0.000009"}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**BUY, "amount": "0.00001"}, "ORDER_FILTER", 200),
    (CREATE, {**BUY, "amount": 121}, "ORDER_FILTER", 200),
    (CREATE, {**FUTURES_BUY, "amount": "0.001"}, "ORDER_FILTER", 200),
    (CREATE, {**FUTURES_BUY, "amount": 121}, "ORDER_FILTER", 200),
    (CREATE, {**REST, "price": 64_000}, "PRICE_COLLAR", 200),
    (CREATE, {**REST, "side": "sell", "price": 56_000}, "PRICE_COLLAR", 200),
    (CREATE, {**FUTURES_BUY, "type": "limit", "price": 64_000}, "ORDER_FILTER", 200),
    (CREATE, {**SELL, "type": "stop_loss", "stopPrice": 61_000}, "TRIGGER_WRONG_SIDE", 200),
    (CREATE, {**ENTRY_STOP, "stopPrice": 61_000}, "TRIGGER_WRONG_SIDE", 200),
    (CREATE, {**ENTRY_STOP, "type": "take_profit", "stopPrice": 59_000}, "TRIGGER_WRONG_SIDE", 200),
    (CREATE, {**REST, "amount": "0.02"}, "RISK_CHECK_FAILED", 200),
    (CREATE, {**FUTURES_BUY, "amount": "0.02"}, "RISK_CHECK_FAILED", 200),
    (CREATE, SELL, "RISK_CHECK_FAILED", 200),
    (CREATE, {**FUTURES_BUY, "side": "sell", "reduceOnly": True}, "NO_POSITION", 200),
    (CREATE, FUTURES_STOP, "NO_POSITION", 200),
    (CREATE, {**BUY, "ttlSeconds": 29}, "INVALID_ARGUMENTS", 400),
    (CREATE, {**BUY, "ttlSeconds": 86_401}, "INVALID_ARGUMENTS", 400),
    (CLOSE, NOPE, "UNKNOWN_SYMBOL", 400),
    (CLOSE, {"symbol": BTC}, "NO_POSITION", 200),
    (CLOSE, {"symbol": BTC, "ttlSeconds": 29}, "INVALID_ARGUMENTS", 400),
    (LEVERAGE, {**NOPE, "leverage": 5}, "UNKNOWN_SYMBOL", 400),
    (LEVERAGE, {"symbol": BTC, "leverage": 0}, "INVALID_ARGUMENTS", 400),
    (LEVERAGE, {"symbol": BTC, "leverage": 126}, "INVALID_ARGUMENTS", 400),
    (LEVERAGE, {"symbol": BTC, "leverage": 21}, "LEVERAGE_TOO_HIGH", 200),
    ("intent_get", {"intentId": "x"}, "UNKNOWN_INTENT", 200),
    ("intent_cancel", {"intentId": "x"}, "UNKNOWN_INTENT", 200),
    ("intent_wait", {"intentId": "x"}, "UNKNOWN_INTENT", 200),
    ("intent_wait", {"intentId": "x", "timeoutSeconds": 0}, "INVALID_ARGUMENTS", 400),
    ("intent_wait", {"intentId": "x", "timeoutSeconds": 51}, "INVALID_ARGUMENTS", 400),
    ("intent_list", {"limit": 0}, "INVALID_ARGUMENTS", 400),
    ("intent_list", {"limit": 101}, "INVALID_ARGUMENTS", 400),
    ("binance_withdraw", {}, "UNKNOWN_TOOL", 404),
]
"""On an account that holds 100,000 USDT and nothing else."""

HEDGED: list[Row] = [
    (CREATE, FUTURES_BUY, "HEDGE_MODE_UNSUPPORTED", 200),
    (CREATE, FUTURES_STOP, "HEDGE_MODE_UNSUPPORTED", 200),
    (CLOSE, {"symbol": BTC}, "HEDGE_MODE_UNSUPPORTED", 200),
    (LEVERAGE, {"symbol": BTC, "leverage": 5}, "HEDGE_MODE_UNSUPPORTED", 200),
]

POOR: list[Row] = [
    (CREATE, REST, "RISK_CHECK_FAILED", 200),
    (CREATE, FUTURES_BUY, "RISK_CHECK_FAILED", 200),
    (LEVERAGE, {"symbol": BTC, "leverage": 1}, "RISK_CHECK_FAILED", 200),
]
"""It holds a long of 0.02 BTC at 20×, and money for no more."""

UNREADABLE: list[Row] = [
    (BOOK, {"symbol": BTC}, "BINANCE_UNAVAILABLE", 502),
    (CREATE, REST, "BINANCE_UNAVAILABLE", 502),
]


async def as_it_is(broker: Wired) -> None:
    """Nothing is changed."""


async def hedged(broker: Wired) -> None:
    await broker.control.do("position_mode", dual=True)
    broker.clock.advance(6)  # the mode is remembered for five seconds


async def poor(broker: Wired) -> None:
    await trade(broker, "buy", "0.02")
    await broker.control.do("balance", asset="USDT", free="100")
    await broker.control.do("balance", asset="USDT", free="70", market="futures")


async def unreadable(broker: Wired) -> None:
    times = len(UNREADABLE) * len(WAYS) * 3
    await broker.control.do(
        "fault", when="received", do="code", method="GET", path="/api/v3/depth", http=503, times=times
    )


SITUATIONS: dict[str, tuple[Callable[[Wired], Awaitable[None]], list[Row]]] = {
    "nothing held": (as_it_is, NOTHING),
    "hedge mode": (hedged, HEDGED),
    "no money left": (poor, POOR),
    "Binance in trouble": (unreadable, UNREADABLE),
}


def test_every_tool_is_refused_something_here() -> None:
    assert {tool for _, rows in SITUATIONS.values() for tool, *_ in rows} == {*TOOLS, "binance_withdraw"}


@pytest.mark.parametrize("name", SITUATIONS)
async def test_each_refusal_is_told_alike_by_every_way(
    futures: Wired, name: str, subtests: pytest.Subtests
) -> None:
    arrange, rows = SITUATIONS[name]
    await arrange(futures)
    before = await changes(futures)
    async with served(futures) as url:
        for way in WAYS:
            async with asking(url, way) as ask:
                for row in rows:
                    with subtests.test(f"{way} {row[0]} {row[1]}"):
                        await assert_refused(ask, row, over_http=way == "http")
    assert await futures.parked_count() == 0
    assert await changes(futures) == before


async def assert_refused(ask: Ask, row: Row, *, over_http: bool) -> None:
    tool, arguments, code, status = row
    told = await ask(tool, arguments)
    assert (told.failed, told.status) == (True, status if over_http else None), told.body
    assert (told.body["success"], told.body["error"]) == (False, code), told.body
    assert told.body["message"] and isinstance(told.body["details"], dict)


async def changes(broker: Wired) -> list[dict[str, Any]]:
    """What reached Binance that may have changed something there."""
    log = (await broker.control.get("requests"))["requests"]
    return [entry for entry in log if entry["method"] != "GET"]
