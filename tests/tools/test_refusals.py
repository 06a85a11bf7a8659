"""What is refused is named, is not parked, and never reaches Binance."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.errors import BrokerError, Code

from ..support import BTC, BUY, REST, Control, Wired, wired

pytestmark = pytest.mark.anyio

SELL = {**BUY, "side": "sell"}
NAN = float("nan")

ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("an unknown argument", {**BUY, "leverage": 5}, "leverage"),
    ("a missing argument", {"symbol": BTC, "side": "buy"}, "amount"),
    ("a side of no meaning", {**BUY, "side": "long"}, "side"),
    ("a type that there is not", {**BUY, "type": "trailing"}, "type"),
    ("a market that there is not", {**BUY, "market": "margin"}, "market"),
    ("a stop without a trigger", {**BUY, "type": "stop_loss"}, "stopPrice"),
    ("a take-profit without a trigger", {**BUY, "type": "take_profit", "price": 58_000}, "stopPrice"),
    ("a market order with a trigger", {**BUY, "stopPrice": 58_000}, "stopPrice"),
    ("a limit order with a trigger", {**REST, "stopPrice": 58_000}, "stopPrice"),
    ("a negative trigger", {**BUY, "type": "stop_loss", "stopPrice": -1}, "stopPrice"),
    ("a reduction on spot", {**BUY, "reduceOnly": True}, "reduceOnly"),
    ("a reduction that is neither", {**BUY, "market": "futures", "reduceOnly": "maybe"}, "reduceOnly"),
    ("a limit order without a price", {**BUY, "type": "limit"}, "price"),
    ("a market order with a price", {**BUY, "price": 60_000}, "price"),
    ("a number of 16 digits", {**BUY, "amount": 0.1234567890123456}, "amount"),
    ("a number of 16 digits, exactly read", {**BUY, "amount": Decimal("0.1234567890123456")}, "amount"),
    ("no number", {**BUY, "amount": NAN}, "amount"),
    ("no number, as text", {**BUY, "amount": "NaN"}, "amount"),
    ("an infinite number", {**BUY, "amount": "Infinity"}, "amount"),
    ("a truth for a number", {**BUY, "amount": True}, "amount"),
    ("a negative amount", {**BUY, "amount": "-0.015"}, "amount"),
    ("nothing", {**BUY, "amount": 0}, "amount"),
    ("an absurd amount", {**BUY, "amount": "1e40"}, "amount"),
    ("a negative price", {**REST, "price": -1}, "price"),
    ("an amount below the step", {**BUY, "amount": "0.000009"}, "amount"),
    ("an over-long reason", {**BUY, "reason": "x" * 501}, "reason"),
    ("a reason that is no text", {**BUY, "reason": "\ud800"}, "reason"),
    ("a key that is too short", {**BUY, "idempotencyKey": "x" * 7}, "idempotencyKey"),
    ("a key that is too long", {**BUY, "idempotencyKey": "x" * 129}, "idempotencyKey"),
    ("too short a life", {**BUY, "ttlSeconds": 29}, "ttlSeconds"),
    ("too long a life", {**BUY, "ttlSeconds": 86_401}, "ttlSeconds"),
    ("an over-long symbol", {**BUY, "symbol": "B" * 31}, "symbol"),
    ("no symbol", {**BUY, "symbol": ""}, "symbol"),
]

OTHER_TOOLS: list[tuple[str, dict[str, Any], str]] = [
    ("binance_get_orderbook", {"symbol": BTC, "limit": 7}, "limit"),
    ("binance_get_klines", {"symbol": BTC, "interval": "2m"}, "interval"),
    ("binance_get_klines", {"symbol": BTC, "limit": 501}, "limit"),
    ("binance_get_trades", {"symbol": BTC, "limit": 0}, "limit"),
    ("binance_get_trade_history", {"symbol": BTC, "limit": 101}, "limit"),
    ("binance_get_account", {"market": "margin"}, "market"),
    ("binance_cancel_order", {"symbol": BTC, "orderId": "1; DROP"}, "orderId"),
    ("binance_cancel_order", {"symbol": BTC, "orderId": "1", "conditional": True}, "conditional"),
    ("binance_cancel_all_orders", {"symbol": BTC, "market": "margin"}, "market"),
    ("binance_get_open_orders", {"market": "margin"}, "market"),
    ("binance_get_trade_history", {"symbol": BTC, "limit": 0, "market": "futures"}, "limit"),
    ("binance_get_futures_positions", {"symbol": ""}, "symbol"),
    ("binance_get_funding_rate", {}, "symbol"),
    ("binance_close_position", {"symbol": BTC, "amount": "1"}, "amount"),
    ("binance_set_leverage", {"symbol": BTC}, "leverage"),
    ("intent_get", {"intentId": ""}, "intentId"),
    ("intent_wait", {"intentId": "x", "timeoutSeconds": 51}, "timeoutSeconds"),
    ("intent_wait", {"intentId": "x", "timeoutSeconds": NAN}, "timeoutSeconds"),
    ("intent_list", {"status": "failed"}, "status"),
]

RULES: list[tuple[str, dict[str, Any], Code, dict[str, Any]]] = [
    ("an unknown symbol", {**BUY, "symbol": "NOPEUSDT"}, Code.UNKNOWN_SYMBOL, {"symbol": "NOPEUSDT"}),
    ("a symbol in small letters", {**BUY, "symbol": "btcusdt"}, Code.UNKNOWN_SYMBOL, {"symbol": "btcusdt"}),
    ("too little", {**BUY, "amount": "0.00001"}, Code.ORDER_FILTER, {"field": "amount", "minNotional": "5"}),
    ("too much for a market order", {**BUY, "amount": 121}, Code.ORDER_FILTER, {"max": "120"}),
    (
        "a price below the band",
        {**REST, "price": "11000"},
        Code.ORDER_FILTER,
        {"field": "price"},
    ),
    (
        "a price above the band",
        {**REST, "side": "sell", "price": "310000"},
        Code.ORDER_FILTER,
        {"field": "price"},
    ),
    ("a buy far above the market", {**REST, "price": 64_000}, Code.PRICE_COLLAR, {"limitPct": "5"}),
    (
        "a sell far below the market",
        {**REST, "side": "sell", "price": 56_000},
        Code.PRICE_COLLAR,
        {"limitPct": "5"},
    ),
]


@pytest.fixture
async def still(broker: Wired) -> AsyncIterator[Wired]:
    """A broker that parks and sends nothing, whatever the test asks of it."""
    yield broker
    assert await broker.parked_count() == 0
    assert await sent(broker.control) == []


@pytest.fixture
async def unasked(still: Wired) -> AsyncIterator[Wired]:
    """Beside that, Binance hears nothing at all meanwhile, and was heard before."""
    before = await still.control.get("requests")
    assert before["requests"]
    yield still
    assert await still.control.get("requests") == before


async def sent(control: Control) -> list[dict[str, Any]]:
    return [*await control.requests(), *await control.requests("DELETE")]


async def refused(broker: Wired, tool: str, **arguments: Any) -> BrokerError:
    with pytest.raises(BrokerError) as refusal:
        await broker.call(tool, **arguments)
    return refusal.value


async def test_bad_arguments_are_refused_by_name(unasked: Wired, subtests: pytest.Subtests) -> None:
    for what, arguments, field in ARGUMENTS:
        with subtests.test(what):
            error = await refused(unasked, "binance_create_order", **arguments)
            assert error.code is Code.INVALID_ARGUMENTS
            assert [item["field"] for item in error.details["fields"]] == [field]
            assert error.message.startswith(f"{field}: ")


async def test_bad_arguments_of_other_tools_are_refused_by_name(
    unasked: Wired, subtests: pytest.Subtests
) -> None:
    for tool, arguments, field in OTHER_TOOLS:
        with subtests.test(f"{tool} {field}"):
            error = await refused(unasked, tool, **arguments)
            assert error.code is Code.INVALID_ARGUMENTS
            assert [item["field"] for item in error.details["fields"]] == [field]


async def test_a_symbol_that_there_is_not_is_named(unasked: Wired, subtests: pytest.Subtests) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("binance_get_ticker", {}),
        ("binance_get_orderbook", {}),
        ("binance_get_klines", {}),
        ("binance_get_trades", {}),
        ("binance_get_exchange_info", {}),
        ("binance_get_open_orders", {}),
        ("binance_get_trade_history", {}),
        ("binance_cancel_order", {"orderId": "1"}),
        ("binance_cancel_all_orders", {}),
        ("binance_create_order", BUY),
        ("binance_create_order", {**BUY, "market": "futures"}),
        ("binance_close_position", {}),
        ("binance_set_leverage", {"leverage": 5}),
        ("binance_get_funding_rate", {}),
        ("binance_get_futures_positions", {}),
        ("binance_get_open_orders", {"market": "futures"}),
        ("binance_get_trade_history", {"market": "futures"}),
        ("binance_cancel_order", {"market": "futures", "orderId": "1"}),
        ("binance_cancel_all_orders", {"market": "futures"}),
    ]
    for tool, arguments in calls:
        with subtests.test(tool):
            error = await refused(unasked, tool, **{**arguments, "symbol": "NOPEUSDT"})
            assert error.code is Code.UNKNOWN_SYMBOL
            assert error.details == {"symbol": "NOPEUSDT"}


async def test_what_is_allowed_stands_beside_the_field(unasked: Wired) -> None:
    error = await refused(unasked, "binance_get_klines", symbol=BTC, limit=501)
    assert error.details["fields"][0]["le"] == 500
    error = await refused(unasked, "binance_create_order", **{**BUY, "side": "long"})
    assert error.details["fields"][0]["expected"] == "'buy' or 'sell'"


async def test_every_bad_argument_is_named_at_once(unasked: Wired) -> None:
    error = await refused(unasked, "binance_create_order", symbol="", side="x", amount="y", z=1)
    assert {item["field"] for item in error.details["fields"]} == {"symbol", "side", "amount", "z"}


async def test_rules_of_the_exchange_and_ours_are_refused_with_figures(
    still: Wired, subtests: pytest.Subtests
) -> None:
    for what, arguments, code, details in RULES:
        with subtests.test(what):
            error = await refused(still, "binance_create_order", **arguments)
            assert error.code is code
            assert error.details | details == error.details


async def test_an_order_above_the_order_limit_is_refused_with_both_figures(still: Wired) -> None:
    error = await refused(still, "binance_create_order", **{**REST, "amount": "0.02"})
    assert error.code is Code.RISK_CHECK_FAILED
    (check,) = error.details["checks"]
    assert check == {
        "name": "order_value",
        "figure": "1160",
        "limit": "1000",
        "unit": "USDT",
        "passed": False,
    }


async def test_an_order_that_the_account_cannot_pay_is_refused(still: Wired) -> None:
    await still.control.do("balance", asset="USDT", free="100")
    error = await refused(still, "binance_create_order", **REST)
    assert [check["name"] for check in error.details["checks"]] == ["balance", "position"]
    assert error.details["checks"][0]["limit"] == "100"


async def test_selling_what_one_does_not_have_is_refused(still: Wired) -> None:
    error = await refused(still, "binance_create_order", **SELL)
    assert [check["name"] for check in error.details["checks"]] == ["balance"]
    assert error.details["checks"][0]["figure"] == "0.015"


async def test_a_market_buy_beyond_the_visible_book_is_not_parked_on_a_guess(still: Wired) -> None:
    await still.control.do("liquidity", symbol=BTC, qtyPerLevel="0.00001")
    error = await refused(still, "binance_create_order", **BUY)
    assert error.code is Code.RISK_CHECK_FAILED
    assert "could not be read" in error.message


async def test_an_order_that_would_pass_the_days_limit_is_refused(tmp_path: Path) -> None:
    async with wired(tmp_path, max_daily_volume_usdt=1500) as broker:
        await broker.approved(**REST)
        error = await refused(broker, "binance_create_order", **{**REST, "price": "58000.01"})
        assert [check["name"] for check in error.details["checks"]] == ["daily_volume"]
        assert error.details["checks"][0]["figure"] == "1740.00015"
        assert await sent(broker.control) == []


async def test_a_limit_of_ours_below_binances_minimum_is_named_as_such(tmp_path: Path) -> None:
    async with wired(tmp_path, max_order_value_usdt=4) as broker:
        error = await refused(broker, "binance_create_order", **{**BUY, "amount": "0.00005"})
        assert error.code is Code.ORDER_FILTER
        assert "MAX_ORDER_VALUE_USDT (4) is below Binance's minimum" in error.message
        assert await broker.parked_count() == 0


async def test_an_exit_is_not_refused_by_any_limit_of_ours(tmp_path: Path) -> None:
    limits: dict[str, Any] = {"max_order_value_usdt": 4, "max_daily_volume_usdt": 4}
    async with wired(tmp_path, **limits) as broker:
        await broker.control.do("balance", asset="BTC", free="1")
        intent = await broker.park(**SELL)
        assert intent.is_exit
        assert [check["name"] for check in intent.card.stored()["checks"] if not check["passed"]] == [
            "order_value",
            "daily_volume",
        ]
        assert len(intent.card.stored()["second_tap"]) == 2
        assert (await broker.submitted(await broker.approve(intent))).state == "placed"


async def test_nothing_is_parked_on_figures_that_could_not_be_read(
    still: Wired, subtests: pytest.Subtests
) -> None:
    for path in ("depth", "account", "avgPrice", "ticker/price", "openOrders"):
        with subtests.test(path):
            still.clock.advance(2)  # prices are remembered for a second
            await still.control.do("fault", when="received", do="code", path=f"/api/v3/{path}", http=503)
            error = await refused(still, "binance_create_order", **BUY)
            assert error.code is Code.BINANCE_UNAVAILABLE


async def test_an_unknown_tool_is_named(unasked: Wired) -> None:
    error = await refused(unasked, "binance_withdraw")
    assert error.code is Code.UNKNOWN_TOOL
    assert "binance_create_order" in error.details["tools"]


async def test_cancelling_what_is_not_there_is_binances_refusal_and_is_recorded(broker: Wired) -> None:
    error = await refused(broker, "binance_cancel_order", symbol=BTC, orderId="1")
    assert error.code is Code.BINANCE_REFUSED
    assert error.details["binanceCode"] == -2011
    assert await broker.audit_holds()


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("binance_get_klines", {"symbol": "BTCUSDT", "limit": True}),
        ("binance_set_leverage", {"symbol": "BTCUSDT", "leverage": True}),
        ("binance_create_order", {"symbol": "BTCUSDT", "side": "buy", "amount": "1", "ttlSeconds": True}),
    ],
)
async def test_true_is_no_number(unasked: Wired, tool: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(BrokerError) as refusal:
        await unasked.call(tool, **arguments)
    assert refusal.value.code is Code.INVALID_ARGUMENTS
    assert "must be a whole number" in refusal.value.message
