"""Each tool's whole answer is what its schema promises, over HTTP and over both eras of MCP."""

from __future__ import annotations

import json
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from broker.tools import TOOLS, HighTool, Risk

from ..support import BTC, BUY, REST, Wired, http_client, mcp_client, served
from .support import CLOSE, CREATE, FUTURES_BUY, FUTURES_STOP, LEVERAGE, placed

pytestmark = pytest.mark.anyio

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("binance_get_ticker", {"symbol": BTC}),
    ("binance_get_orderbook", {"symbol": BTC, "limit": 5}),
    ("binance_get_klines", {"symbol": BTC, "interval": "1h", "limit": 3}),
    ("binance_get_trades", {"symbol": BTC, "limit": 3}),
    ("binance_get_exchange_info", {}),
    ("binance_get_exchange_info", {"symbol": BTC}),
    ("binance_get_funding_rate", {"symbol": BTC}),
    ("binance_get_account", {}),
    ("binance_get_account", {"market": "futures"}),
    ("binance_get_open_orders", {}),
    ("binance_get_open_orders", {"market": "futures"}),
    ("binance_get_trade_history", {"symbol": BTC}),
    ("binance_get_trade_history", {"symbol": BTC, "market": "futures"}),
    ("binance_get_futures_positions", {}),
    ("binance_create_order", {**REST, "amount": "0.01"}),
    ("binance_create_order", {**FUTURES_STOP, "reason": "a stop"}),
    ("binance_close_position", {"symbol": BTC}),
    ("binance_set_leverage", {"symbol": BTC, "leverage": 5}),
    ("binance_cancel_order", {"symbol": BTC}),
    ("binance_cancel_order", {"symbol": BTC, "market": "futures", "conditional": True}),
    ("binance_cancel_all_orders", {"symbol": BTC}),
    ("binance_cancel_all_orders", {"symbol": BTC, "market": "futures"}),
    ("intent_get", {}),
    ("intent_wait", {"timeoutSeconds": 1}),
    ("intent_list", {}),
    ("intent_cancel", {}),
]


SENDS = ("binance_create", "binance_close", "binance_set", "binance_cancel")
"""Tools before which a host should ask its user; to withdraw one's own request is none of them."""


async def with_orders(broker: Wired) -> None:
    """On both markets one order filled and two resting, so that every list holds something."""
    await broker.submitted(await broker.approved(**BUY))
    await broker.submitted(await broker.approved(**REST))
    await broker.submitted(await broker.approved(**{**REST, "price": "57000"}))
    await placed(broker, CREATE, **FUTURES_BUY)
    await placed(broker, CREATE, **FUTURES_STOP)
    await placed(broker, CREATE, **{**FUTURES_BUY, "type": "limit", "price": "58000"})


async def arguments(broker: Wired, tool: str, given: dict[str, Any]) -> dict[str, Any]:
    """The call's arguments; ids that must exist are made for it."""
    if tool == "binance_cancel_order":
        orders = await broker.call("binance_get_open_orders", market=given.get("market", "spot"))
        wanted = given.get("conditional", False)
        return {**given, "orderId": next(o["id"] for o in orders["orders"] if o["conditional"] is wanted)}
    if tool in ("intent_get", "intent_wait", "intent_cancel"):
        return {**given, "intentId": (await broker.park(**BUY)).id}
    return given


def check(schema: dict[str, Any], body: Any) -> None:
    jsonschema.Draft202012Validator(schema).validate(body)


def test_every_tool_is_called_here() -> None:
    assert {name for name, _ in CALLS} == TOOLS.keys()


async def test_over_http_each_answer_is_as_promised(futures: Wired) -> None:
    await with_orders(futures)
    async with served(futures) as url, http_client(url) as client:
        listed = {tool["name"]: tool for tool in (await client.get("/tools")).json()["tools"]}
        for name, call in CALLS:
            given = await arguments(futures, name, call)
            check(listed[name]["inputSchema"], given)
            answer = await client.post(f"/tools/{name}", json=given)
            assert answer.status_code == 200, answer.text
            check(listed[name]["outputSchema"], answer.json())


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_over_mcp_each_answer_is_as_promised(futures: Wired, mode: str) -> None:
    await with_orders(futures)
    async with served(futures) as url, mcp_client(url, mode) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        for name, call in CALLS:
            answer = await client.call_tool(name, await arguments(futures, name, call))
            assert not answer.is_error, answer.content
            schema = listed[name].output_schema
            assert schema is not None
            check(schema, answer.structured_content)
            assert json.loads(answer.content[-1].text) == answer.structured_content  # type: ignore[union-attr]


async def test_both_eras_and_http_list_the_same_tools(broker: Wired) -> None:
    async with served(broker) as url, http_client(url) as http:
        over_http = (await http.get("/tools")).json()["tools"]
        for mode in ("auto", "legacy"):
            async with mcp_client(url, mode) as client:
                over_mcp = (await client.list_tools()).tools
            assert [tool.name for tool in over_mcp] == [tool["name"] for tool in over_http]
            for one, other in zip(over_mcp, over_http, strict=True):
                assert one.input_schema == other["inputSchema"]
                assert one.output_schema == other["outputSchema"]
                assert one.description == other["description"]


async def test_a_tools_risk_is_told_where_a_client_looks_for_it(broker: Wired) -> None:
    async with served(broker) as url, http_client(url, key=None) as http, mcp_client(url, "auto") as client:
        over_http = (await http.get("/tools")).json()["tools"]
        over_mcp = (await client.list_tools()).tools
    for tool, told, listed in zip(TOOLS.values(), over_http, over_mcp, strict=True):
        assert told["riskLevel"] == tool.risk
        assert told["requiresConfirmation"] is isinstance(tool, HighTool) is (tool.risk is Risk.HIGH)
        assert listed.annotations is not None
        assert listed.annotations.read_only_hint is tool.reads_only
        assert listed.annotations.destructive_hint is tool.name.startswith(SENDS)
        assert listed.annotations.idempotent_hint is not listed.annotations.destructive_hint
        assert listed.meta is not None
        assert listed.meta["confirmation-broker/riskLevel"] == told["riskLevel"]
    assert {tool["name"] for tool in over_http if tool["requiresConfirmation"]} == {
        CREATE,
        CLOSE,
        LEVERAGE,
    }
