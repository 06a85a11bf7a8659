"""The tools over MCP, in both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import mcp
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, TextContent
from sqlalchemy import text

from broker.api.mcp_calls import IDEMPOTENCY_META
from broker.intents import State

from ..support import BTC, BUY, KEY, REST, TRADER, Wired, http_client, mcp_client, served

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["auto", "legacy"])
async def client(broker: Wired, request: pytest.FixtureRequest) -> AsyncIterator[mcp.Client]:
    async with served(broker) as url, mcp_client(url, request.param) as client:
        yield client


def texts(result: CallToolResult) -> list[str]:
    assert all(isinstance(block, TextContent) for block in result.content)
    return [block.text for block in result.content if isinstance(block, TextContent)]


def body(result: CallToolResult) -> dict[str, Any]:
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def test_the_server_says_who_it_is_and_how_to_go_on(client: mcp.Client) -> None:
    assert client.server_info is not None
    assert client.server_info.name == "trading-binance-mcp"
    assert client.instructions is not None
    assert "never executes by itself" in client.instructions


async def test_a_high_call_says_first_that_nothing_was_executed(client: mcp.Client) -> None:
    result = await client.call_tool("binance_create_order", BUY)
    assert not result.is_error
    sentence, as_json = texts(result)
    assert sentence.startswith("NOT EXECUTED YET. A person must approve this at http://")
    assert "Do not call this tool again" in sentence
    assert json.loads(as_json) == result.structured_content
    assert body(result)["status"] == "pending"


async def test_a_failed_call_is_an_error_in_the_one_shape(client: mcp.Client) -> None:
    """Which the tool's output schema knows: some clients show nothing of a failure that it does not."""
    promised = {tool.name: tool.output_schema for tool in (await client.list_tools()).tools}
    for tool, arguments, code in (
        ("binance_get_ticker", {"symbol": "NOPE"}, "UNKNOWN_SYMBOL"),
        ("binance_create_order", {**BUY, "leverage": 3}, "INVALID_ARGUMENTS"),
        ("binance_create_order", {**BUY, "amount": 0.1234567890123456}, "INVALID_ARGUMENTS"),
        ("binance_create_order", {**BUY, "amount": "0.00001"}, "ORDER_FILTER"),
        ("intent_get", {"intentId": "nothing"}, "UNKNOWN_INTENT"),
        ("binance_withdraw", {}, "UNKNOWN_TOOL"),
    ):
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert (body(result)["success"], body(result)["error"]) == (False, code)
        jsonschema.validate(body(result), promised.get(tool) or {})
        sentence, as_json = texts(result)
        assert sentence == body(result)["message"]
        assert json.loads(as_json) == body(result)


async def test_an_error_of_our_own_never_shows_its_text(broker: Wired, client: mcp.Client) -> None:
    parked = await broker.park(**BUY)
    wrong = text("UPDATE intents SET state = 'a-state-of-no-meaning'")
    await broker.store.database.write(lambda connection: connection.execute(wrong))
    result = await client.call_tool("intent_get", {"intentId": parked.id})
    assert (result.is_error, body(result)["error"]) == (True, "INTERNAL")
    assert "meaning" not in "".join(texts(result))


async def test_a_key_beside_the_arguments_is_an_idempotency_key(broker: Wired, client: mcp.Client) -> None:
    meta: Any = {IDEMPOTENCY_META: "an-intended-action"}
    first, again = [await client.call_tool("binance_create_order", BUY, meta=meta) for _ in range(2)]
    assert body(again)["intentId"] == body(first)["intentId"]
    assert body(again)["deduplicated"] is True
    assert (await broker.intent(body(first)["intentId"])).idempotency_key == "an-intended-action"
    other = await client.call_tool("binance_create_order", REST, meta=meta)
    assert body(other)["error"] == "IDEMPOTENCY_CONFLICT"


async def test_a_key_that_cannot_be_one_is_refused_and_parks_nothing(
    broker: Wired, client: mcp.Client, subtests: pytest.Subtests
) -> None:
    """Whoever sends it takes a repeat of the call for safe."""
    for key in (12_345_678, ["an-intended-action"], True, "short"):
        with subtests.test(key=key):
            meta: Any = {IDEMPOTENCY_META: key}
            told = body(await client.call_tool("binance_create_order", BUY, meta=meta))
            assert (told["error"], told["details"]["fields"][0]["field"]) == (
                "INVALID_ARGUMENTS",
                "idempotencyKey",
            )
    assert await broker.parked_count() == 0


async def test_a_header_is_an_idempotency_key_here_too(broker: Wired) -> None:
    async with served(broker) as url, http_client(url) as http:
        http.headers["Idempotency-Key"] = "an-intended-action"
        async with mcp.Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client:
            result = await client.call_tool("binance_create_order", BUY)
    assert (await broker.intent(body(result)["intentId"])).idempotency_key == "an-intended-action"


async def test_the_agent_learns_the_fill_of_what_was_approved_while_it_waited(
    broker: Wired, client: mcp.Client
) -> None:
    parked = body(await client.call_tool("binance_create_order", BUY))
    waiting = asyncio.create_task(client.call_tool("intent_wait", parked["next"]["arguments"]))
    intent = await broker.intent(parked["intentId"])
    broker.executor.take(await broker.approve(intent))
    result = await asyncio.wait_for(waiting, 20)
    assert body(result)["status"] == State.PLACED
    assert body(result)["decision"]["by"] == TRADER
    assert body(result)["result"]["order"]["filled"] == 0.015
    assert texts(result)[0] == "Order placed, filled 0.015 of 0.015. Done. Do not repeat it."


async def test_an_agent_that_went_away_loses_nothing(broker: Wired) -> None:
    async with served(broker) as url:
        async with mcp_client(url, "auto") as client:
            parked = body(await client.call_tool("binance_create_order", BUY))
            waiting = asyncio.create_task(client.call_tool("intent_wait", {"intentId": parked["intentId"]}))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
        intent = await broker.intent(parked["intentId"])
        assert intent.state is State.PENDING
        await broker.submitted(await broker.approve(intent))
        async with mcp_client(url, "legacy") as client:
            told = body(await client.call_tool("intent_get", {"intentId": intent.id}))
    assert (told["status"], told["result"]["order"]["symbol"]) == ("placed", BTC)


async def test_without_the_key_there_is_no_server(broker: Wired) -> None:
    async with served(broker) as url, http_client(url, key=KEY + "!") as http:
        answer = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (answer.status_code, answer.json()) == (401, {"error": "Invalid MCP API key"})
