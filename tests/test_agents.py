"""What one agent may do: read from what was typed, kept below the broker's limits, and asked of each call."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.agents import Agent, symbol_id
from broker.errors import BrokerError, Code
from broker.settings import Settings
from broker.tools import TOOLS

from .support import settings_in

LIMITED: dict[str, Any] = {
    "tools": frozenset({"binance_get_ticker"}),
    "symbols": frozenset({"BTCUSDT"}),
    "max_order_value_usdt": Decimal("99.50"),
    "max_daily_volume_usdt": Decimal(500),
    "max_leverage": 3,
    "max_pending": 2,
    "max_calls_per_minute": 10,
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)


def test_what_is_stored_is_read_back_the_same() -> None:
    agent = Agent(name="bot", **LIMITED)
    assert Agent.of("bot", agent.rights()) == agent
    assert Agent(name="bot").rights() == {}


def test_what_is_not_limited_is_as_the_broker_has_it(settings: Settings) -> None:
    limits = Agent(name="bot").limits(settings)
    assert (limits.order_value_usdt, limits.leverage, limits.pending, limits.calls_per_minute) == (
        settings.max_order_value_usdt,
        settings.max_leverage,
        50,
        600,
    )
    assert (limits.own_daily_volume_usdt, limits.own_order_value, limits.own_leverage) == (None, False, False)


def test_the_lower_limit_holds_also_once_the_brokers_was_lowered(settings: Settings) -> None:
    limits = Agent(name="bot", **LIMITED).limits(settings)
    assert (limits.order_value_usdt, limits.own_order_value) == (Decimal("99.50"), True)
    assert (limits.leverage, limits.own_leverage, limits.pending, limits.calls_per_minute) == (3, True, 2, 10)
    lowered = settings.model_copy(update={"max_order_value_usdt": Decimal(50), "max_leverage": 2})
    limits = Agent(name="bot", **LIMITED).limits(lowered)
    assert (limits.order_value_usdt, limits.own_order_value) == (Decimal(50), False)
    assert (limits.leverage, limits.own_leverage) == (2, False)


def test_what_a_person_types_is_read() -> None:
    words = {
        "tools": " binance_get_ticker, ",
        "symbols": "btcusdt, ETH/USDT,SOL/USDT:USDT",
        "max_order_value_usdt": "99.5",
        "max_leverage": "3",
    }
    agent = Agent(name="bot").typed(words)
    assert agent.tools == frozenset({"binance_get_ticker"})
    assert agent.symbols == frozenset({"BTCUSDT", "ETHUSDT", "SOLUSDT"})
    assert (agent.max_order_value_usdt, agent.max_leverage) == (Decimal("99.5"), 3)
    again = agent.typed({"tools": "all", "symbols": "none", "max_leverage": ""})
    assert (again.tools, again.symbols, again.max_leverage) == (None, None, None)
    assert again.max_order_value_usdt == Decimal("99.5")


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("bot", {"max_leverage": "3.5"}, "max_leverage: must be a whole number"),
        ("bot", {"max_pending": "many"}, "max_pending: "),
        ("bot", {"max_order_value_usdt": "NaN"}, "max_order_value_usdt: "),
        ("bot", {"max_order_value_usdt": "0"}, "max_order_value_usdt: must be above zero"),
        ("bot", {"max_calls_per_minute": "-1"}, "max_calls_per_minute: must be above zero"),
        ("bot", {"tools": "binance_withdraw"}, "tools: there is no tool 'binance_withdraw'"),
        ("bot", {"tools": "intent_get"}, "tools: there is no tool 'intent_get'"),
        ("bot", {"symbols": ","}, "symbols: must be 1 to 200"),
        ("bot", {"symbols": "BTC-USDT"}, "symbols: 'BTC-USDT' is not a Binance id"),
        ("", {}, "name: must have 1 to 40"),
        ("-bot", {}, "name: must have 1 to 40"),
        ("b" * 41, {}, "name: must have 1 to 40"),
        ("b\u043et", {}, "name: must have 1 to 40"),
        ("bot\n", {}, "name: must have 1 to 40"),
    ],
)
def test_what_cannot_be_is_named(settings: Settings, name: str, words: dict[str, str], told: str) -> None:
    with pytest.raises(BrokerError) as refused:
        Agent(name=name).typed(words).checked(settings, TOOLS)
    assert refused.value.code is Code.INVALID_ARGUMENTS
    assert refused.value.message.startswith(told)


@pytest.mark.parametrize(
    ("field", "above", "setting"),
    [
        ("max_order_value_usdt", "1000.01", "1000 (MAX_ORDER_VALUE_USDT)"),
        ("max_daily_volume_usdt", "10001", "10000 (MAX_DAILY_VOLUME_USDT)"),
        ("max_leverage", "21", "20 (MAX_LEVERAGE)"),
        ("max_pending", "51", "50 (MAX_PENDING_PER_AGENT)"),
        ("max_calls_per_minute", "601", "600 (MAX_CALLS_PER_MINUTE_PER_AGENT)"),
    ],
)
def test_an_own_limit_above_the_brokers_is_refused(
    settings: Settings, field: str, above: str, setting: str
) -> None:
    with pytest.raises(BrokerError, match="is above the broker's limit of ") as refused:
        Agent(name="bot").typed({field: above}).checked(settings, TOOLS)
    assert refused.value.message.startswith(f"{field}: ") and setting in refused.value.message
    as_high = {"max_order_value_usdt": "1000", "max_leverage": "20", "max_pending": "50"}
    Agent(name="bot").typed(as_high).checked(settings, TOOLS)


def test_only_allowed_tools_may_be_called_and_ones_own_requests_always() -> None:
    agent = Agent(name="bot", tools=frozenset({"binance_get_ticker"}))
    for tool in TOOLS:
        if tool.startswith("intent_") or tool == "binance_get_ticker":
            agent.require_tool(tool)
            continue
        with pytest.raises(BrokerError) as refused:
            agent.require_tool(tool)
        assert refused.value.code is Code.TOOL_NOT_ALLOWED
        assert refused.value.details == {"tool": tool, "allowed": ["binance_get_ticker"]}
    for tool in TOOLS:
        Agent(name="bot").require_tool(tool)


def test_only_allowed_symbols_may_be_named_and_one_has_to_be() -> None:
    agent = Agent(name="bot", symbols=frozenset({"BTCUSDT", "ETHUSDT"}))
    agent.require_symbol("ETHUSDT")
    for symbol in ("SOLUSDT", None):
        with pytest.raises(BrokerError, match="allowed: BTCUSDT, ETHUSDT") as refused:
            agent.require_symbol(symbol)
        assert refused.value.code is Code.SYMBOL_NOT_ALLOWED
        assert refused.value.details["symbol"] == symbol
    Agent(name="bot").require_symbol(None)


def test_an_id_is_read_from_either_form() -> None:
    assert {symbol_id(text) for text in ("BTCUSDT", " btc/usdt ", "BTC/USDT:USDT")} == {"BTCUSDT"}
