"""What one agent may call, trade and spend: asked before Binance is, and once more before sending."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.agents import Agent
from broker.errors import BrokerError, Code
from broker.events import EventKind
from broker.intents import Intent, State
from broker.store import OverDailyVolume, recent_events
from broker.tools import TOOLS

from ..support import BTC, BUY, NOON, Wired, http_client, mcp_client, served, wired
from .support import CLOSE, CREATE, FUTURES_BUY, LEVERAGE, checks_of, failing, trade

pytestmark = pytest.mark.anyio

BOT = Agent(name="bot")
ON_ETH = replace(BOT, symbols=frozenset({"ETHUSDT"}))
ON_BTC = replace(BOT, symbols=frozenset({BTC}))

WITH_SYMBOL: dict[str, dict[str, Any]] = {
    **{f"binance_get_{name}": {} for name in ("ticker", "orderbook", "klines", "trades", "exchange_info")},
    **{f"binance_get_{name}": {} for name in ("funding_rate", "open_orders", "futures_positions")},
    "binance_get_trade_history": {},
    "binance_cancel_order": {"orderId": "1"},
    "binance_cancel_all_orders": {},
    CREATE: {"side": "buy", "amount": "0.015"},
    CLOSE: {},
    LEVERAGE: {"leverage": 5},
}
OPTIONAL = ("binance_get_exchange_info", "binance_get_open_orders", "binance_get_futures_positions")


async def ask(broker: Wired, agent: Agent, tool: str, /, **arguments: Any) -> dict[str, Any]:
    answer = await broker.gateway.call(agent, tool, arguments)
    return answer.model_dump(mode="json", exclude_defaults=True)


async def refusal(broker: Wired, agent: Agent, tool: str, /, **arguments: Any) -> BrokerError:
    """The call's error, for which nothing was parked and nothing asked of Binance."""
    asked = await reached(broker)
    with pytest.raises(BrokerError) as refused:
        await ask(broker, agent, tool, **arguments)
    assert await broker.parked_count() == 0
    assert await reached(broker) == asked
    return refused.value


async def reached(broker: Wired) -> int:
    """How many requests came to the exchange."""
    return len((await broker.control.get("requests"))["requests"])


def add(broker: Wired, agent: Agent) -> str:
    store = broker.store
    return store.database.write_now(
        lambda connection: store.agents.add(connection, agent, actor="command line")
    )


def limit(broker: Wired, agent: Agent) -> None:
    store = broker.store
    store.database.write_now(lambda connection: store.agents.limit(connection, agent, actor="command line"))


async def parked(broker: Wired, agent: Agent, tool: str, /, **arguments: Any) -> Intent:
    return await broker.intent((await ask(broker, agent, tool, **arguments))["intentId"])


# Tools and symbols


def test_every_tool_that_takes_a_symbol_is_here() -> None:
    assert {name for name, tool in TOOLS.items() if "symbol" in tool.input.model_fields} == WITH_SYMBOL.keys()
    optional = {
        name
        for name, tool in TOOLS.items()
        if "symbol" in tool.input.model_fields and not tool.input.model_fields["symbol"].is_required()
    }
    assert optional == set(OPTIONAL)


async def test_a_tool_that_is_not_allowed_asks_nothing_of_binance(broker: Wired) -> None:
    nothing = replace(BOT, tools=frozenset())
    for tool, arguments in {**WITH_SYMBOL, "binance_get_account": {}}.items():
        error = await refusal(broker, nothing, tool, symbol=BTC, **arguments)
        assert (error.code, error.http_status) == (Code.TOOL_NOT_ALLOWED, 200)
        assert error.details == {"tool": tool, "allowed": []}
    assert (await ask(broker, nothing, "intent_list")) == {"intents": [], "count": 0}


@pytest.mark.parametrize("tool", WITH_SYMBOL)
async def test_a_symbol_that_is_not_allowed_asks_nothing_of_binance(broker: Wired, tool: str) -> None:
    markets = ("spot", "futures") if "market" in TOOLS[tool].input.model_fields else (None,)
    for symbol in (BTC, "BTC/USDT"):
        for market in markets:
            given = {**WITH_SYMBOL[tool], "symbol": symbol, **({"market": market} if market else {})}
            error = await refusal(broker, ON_ETH, tool, **given)
            assert (error.code, error.http_status) == (Code.SYMBOL_NOT_ALLOWED, 200)
            assert error.details == {"field": "symbol", "symbol": BTC, "allowed": ["ETHUSDT"]}


@pytest.mark.parametrize("tool", OPTIONAL)
async def test_an_agent_of_some_symbols_has_to_name_one(broker: Wired, tool: str) -> None:
    error = await refusal(broker, ON_ETH, tool)
    assert (error.code, error.details["symbol"]) == (Code.SYMBOL_NOT_ALLOWED, None)
    assert "symbol: is required" in error.message and "ETHUSDT" in error.message
    assert await ask(broker, ON_BTC, tool, symbol=BTC)


async def test_an_allowed_symbol_counts_in_either_form(futures: Wired) -> None:
    for symbol in (BTC, "BTC/USDT"):
        assert (await ask(futures, ON_BTC, "binance_get_ticker", symbol=symbol))["symbol"] == BTC
    for symbol in (BTC, "BTC/USDT", "BTC/USDT:USDT"):
        assert (await ask(futures, ON_BTC, "binance_get_funding_rate", symbol=symbol))["symbol"] == BTC
    intent = await parked(futures, ON_BTC, CREATE, **{**BUY, "symbol": "BTC/USDT"})
    assert (intent.agent, intent.arguments.stored()["symbol"]) == ("bot", BTC)
    assert (await ask(futures, ON_BTC, "binance_get_account"))["balances"]


async def test_a_protective_cancel_that_would_wait_is_asked_for_its_symbol_too(tmp_path: Path) -> None:
    async with wired(tmp_path, confirm_protective_cancels=True) as broker:
        error = await refusal(broker, ON_ETH, "binance_cancel_all_orders", symbol=BTC)
    assert error.code is Code.SYMBOL_NOT_ALLOWED


# Limits


async def test_the_agents_own_order_value_refuses_and_stands_on_the_card(broker: Wired) -> None:
    agent = replace(BOT, max_order_value_usdt=Decimal(899))
    error = await refusal_after_reading(broker, agent, CREATE, **BUY)
    assert (error.code, failing(error)) == (Code.RISK_CHECK_FAILED, ["order_value"])
    assert "Order value (agent's limit): 900" in error.message and "limit 899" in error.message
    card = checks_of(await parked(broker, replace(BOT, max_order_value_usdt=Decimal(950)), CREATE, **BUY))
    assert (card["order_value"]["label"], card["order_value"]["limit"]) == (
        "Order value (agent's limit)",
        "950",
    )


async def refusal_after_reading(broker: Wired, agent: Agent, tool: str, /, **arguments: Any) -> BrokerError:
    with pytest.raises(BrokerError) as refused:
        await ask(broker, agent, tool, **arguments)
    assert await broker.parked_count() == 0
    return refused.value


async def test_a_limit_below_binances_minimum_is_told_as_the_agents_own(broker: Wired) -> None:
    agent = replace(BOT, max_order_value_usdt=Decimal(1))
    error = await refusal_after_reading(broker, agent, CREATE, **BUY)
    assert error.code is Code.ORDER_FILTER
    assert "your own limit on an order's value (1) is below Binance's minimum" in error.message


async def test_the_agents_own_volume_of_the_day_counts_its_own_orders_alone(broker: Wired) -> None:
    agent = replace(BOT, max_daily_volume_usdt=Decimal(1000))
    add(broker, agent)
    await broker.submitted(await broker.approved(**BUY))  # the agent default's
    first = await parked(broker, agent, CREATE, **BUY)
    checks = checks_of(first)
    assert Decimal(checks["agent_daily_volume"]["figure"]) < 950 < Decimal(checks["daily_volume"]["figure"])
    assert (checks["agent_daily_volume"]["label"], checks["agent_daily_volume"]["limit"]) == (
        "Agent's volume today with this",
        "1000",
    )
    second = await parked(broker, agent, CREATE, **{**BUY, "amount": "0.014"})
    await broker.submitted(await broker.approve(first))
    with pytest.raises(OverDailyVolume):
        await broker.approve(second)
    with pytest.raises(BrokerError) as refused:
        await ask(broker, agent, CREATE, **{**BUY, "amount": "0.013"})
    assert failing(refused.value) == ["agent_daily_volume"]


async def test_the_agents_own_leverage_refuses_both_the_change_and_the_entry(futures: Wired) -> None:
    agent = replace(BOT, max_leverage=4)
    error = await refusal(futures, agent, LEVERAGE, symbol=BTC, leverage=5)
    assert (error.code, error.details["limit"]) == (Code.LEVERAGE_TOO_HIGH, 4)
    assert "(your own)" in error.message
    error = await refusal_after_reading(futures, agent, CREATE, **FUTURES_BUY)
    assert failing(error) == ["leverage"], "the account is set to 20×"
    assert "Leverage (agent's limit)" in error.message
    assert (
        checks_of(await parked(futures, agent, LEVERAGE, symbol=BTC, leverage=4))["leverage"]["limit"] == "4"
    )


async def test_no_limit_of_its_own_refuses_an_exit(futures: Wired) -> None:
    agent = replace(
        BOT, max_order_value_usdt=Decimal(1), max_daily_volume_usdt=Decimal(1), max_leverage=1, tools=None
    )
    await trade(futures, "buy", "0.015")
    intent = await parked(futures, agent, CLOSE, symbol=BTC)
    assert intent.is_exit
    assert [reason for reason in intent.card.stored()["second_tap"] if "agent's limit" in reason]


@pytest.mark.parametrize(
    ("lowered", "told"),
    [
        ({"max_order_value_usdt": Decimal(800)}, "Order value (agent's limit)"),
        ({"max_daily_volume_usdt": Decimal(800)}, "Agent's volume today with this"),
    ],
)
async def test_a_limit_lowered_after_the_approval_keeps_the_order_back(
    broker: Wired, lowered: dict[str, Any], told: str
) -> None:
    add(broker, BOT)
    intent = await broker.approve(await parked(broker, BOT, CREATE, **BUY))
    limit(broker, replace(BOT, **lowered))
    ended = await broker.submitted(intent)
    assert (ended.state, told in str(ended.note)) == (State.NOT_SENT, True)
    assert await broker.control.orders() == []


async def test_rights_are_about_asking_what_waits_is_the_traders(broker: Wired) -> None:
    add(broker, BOT)
    intent = await parked(broker, BOT, CREATE, **BUY)
    limit(broker, replace(BOT, tools=frozenset({"binance_get_ticker"}), symbols=frozenset({"ETHUSDT"})))
    assert (await broker.submitted(await broker.approve(intent))).state is State.PLACED


# Rights that change while a call is under way


def revoke(broker: Wired) -> None:
    store = broker.store
    store.database.write_now(lambda connection: store.agents.revoke(connection, "bot", actor="trader:Ana"))


def on_eth_alone(broker: Wired) -> None:
    limit(broker, ON_ETH)


def without_tools(broker: Wired) -> None:
    limit(broker, replace(BOT, tools=frozenset()))


CHANGES = [
    (revoke, Code.UNAUTHORIZED),
    (on_eth_alone, Code.SYMBOL_NOT_ALLOWED),
    (without_tools, Code.TOOL_NOT_ALLOWED),
]
UNDER_WAY: list[tuple[str, dict[str, Any], str]] = [
    (CREATE, {"side": "buy", "amount": "0.015"}, "/api/v3/depth"),
    ("binance_cancel_all_orders", {}, "/api/v3/openOrders"),
    ("binance_cancel_order", {"orderId": "1"}, "/api/v3/openOrders"),
]


@pytest.mark.parametrize(("change", "code"), CHANGES)
@pytest.mark.parametrize(("tool", "arguments", "read"), UNDER_WAY)
async def test_what_was_under_way_when_its_agents_rights_ended_is_not_done(
    broker: Wired,
    change: Callable[[Wired], None],
    code: Code,
    tool: str,
    arguments: dict[str, Any],
    read: str,
) -> None:
    """It was let in before, and has read what it needs from Binance since."""
    add(broker, BOT)
    await broker.control.do("fault", when="received", do="hold", method="GET", path=read)
    calling = asyncio.create_task(ask(broker, BOT, tool, symbol=BTC, **arguments))
    await broker.control.held()
    change(broker)
    await broker.control.do("release")
    with pytest.raises(BrokerError) as refused:
        await calling
    assert refused.value.code is code
    assert await broker.parked_count() == 0
    for path in ("/api/v3/order", "/api/v3/openOrders"):
        assert await broker.control.requests("DELETE", path) == []
    recorded = await broker.store.read(lambda it: recent_events(it, (EventKind.ORDERS_CANCEL_ASKED,), NOON))
    assert recorded == []


# Over the wire


@pytest.fixture
def busy() -> Agent:
    return replace(BOT, max_pending=1, max_calls_per_minute=3, symbols=frozenset({BTC}))


async def test_what_is_refused_has_the_contracts_status(broker: Wired, busy: Agent) -> None:
    key = add(broker, busy)
    async with served(broker) as url, http_client(url, key=key) as client:
        assert (await client.post(f"/tools/{CREATE}", json=BUY)).status_code == 200
        full = await client.post(f"/tools/{CREATE}", json={**BUY, "amount": "0.014"})
        assert (full.status_code, full.json()["error"]) == (429, "TOO_MANY_PENDING")
        assert full.json()["details"] == {"pending": 1, "allowed": 1}
        assert full.json()["next"]["tool"] == "intent_list"
        wrong = await client.post("/tools/binance_get_ticker", json={"symbol": "ETHUSDT"})
        assert (wrong.status_code, wrong.json()["success"], wrong.json()["error"]) == (
            200,
            False,
            "SYMBOL_NOT_ALLOWED",
        )
        often = await client.post("/tools/binance_get_ticker", json={"symbol": BTC})
        assert (often.status_code, often.json()["error"]) == (429, "RATE_LIMITED")
        assert often.headers["Retry-After"] == "60"
        assert (await client.post("/tools/intent_list")).json()["count"] == 1


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_mcp_a_refusal_is_an_error_with_its_code(broker: Wired, busy: Agent, mode: str) -> None:
    key = add(broker, busy)
    async with served(broker) as url, mcp_client(url, mode, key) as client:
        answer = await client.call_tool("binance_get_ticker", {"symbol": "ETHUSDT"})
    assert answer.is_error and answer.structured_content is not None
    assert answer.structured_content["error"] == "SYMBOL_NOT_ALLOWED"
