"""Clients that wait by themselves, as tasks or behind a link, before a real broker and its page."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.session import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, InputRequiredResult
from playwright.async_api import Browser

from ..support import eventually
from ..task_client import Handle, Task, TasksExtension, WasCancelled, ask
from .people import first_trader, orders_at
from .processes import BrokerProcess, PaperProcess, environment

pytestmark = pytest.mark.anyio

BUY = {"symbol": "BTCUSDT", "side": "buy", "amount": "0.01"}
APPROVE = "Approve BUY 0.01 BTC"


@pytest.fixture
def broker(tmp_path: Path, exchange: PaperProcess) -> Iterator[BrokerProcess]:
    with started(tmp_path, exchange) as broker:
        yield broker


def started(folder: Path, exchange: PaperProcess, port: int | None = None) -> BrokerProcess:
    allowed = {"MCP_TASKS": "true", "MCP_URL_ELICITATION": "true"}
    return BrokerProcess(folder, port=port, command=("broker",), PAPER_URL=exchange.url, **allowed)


@asynccontextmanager
async def connected(broker: BrokerProcess, over: str, **knows: Any) -> AsyncIterator[Client]:
    if over == "stdio":
        settings = environment(PORT=str(broker.port), DATA_DIR=str(broker.folder / "data"))
        command = StdioServerParameters(
            command=sys.executable, args=["-m", "broker", "stdio"], env=settings, cwd=broker.folder
        )
        async with Client(command, **knows) as client:
            yield client
        return
    async with create_mcp_http_client(headers={"X-MCP-API-Key": broker.key}) as http:
        transport = streamable_http_client(f"{broker.url}/mcp", http_client=http)
        async with Client(transport, **knows) as client:
            yield client


async def opened(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    return ElicitResult(action="accept")


async def ended(client: Client, task_id: str) -> Task | None:
    task = await ask(client.session, "get", task_id)
    return None if task.status == "working" else task


def body(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error
    assert isinstance(result.structured_content, dict)
    return result.structured_content


@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_a_task_ends_with_what_was_approved_on_the_page(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess, over: str
) -> None:
    page = await first_trader(browser, broker)
    tasks = TasksExtension()
    async with connected(broker, over, extensions=[tasks]) as client:
        unwanted = asyncio.create_task(client.call_tool("binance_create_order", {**BUY, "amount": "0.011"}))
        handle = await tasks.handles.get()
        await ask(client.session, "cancel", handle.task_id)
        with pytest.raises(WasCancelled):
            await unwanted
        calling = asyncio.create_task(client.call_tool("binance_create_order", BUY))
        handle = await tasks.handles.get()
        await page.get_by_role("button", name=APPROVE).click()
        told = body(await asyncio.wait_for(calling, 20))
    assert (told["status"], told["intentId"]) == ("placed", handle.task_id)
    [order] = await orders_at(exchange.url)
    assert order["clientOrderId"] == f"cb-{handle.task_id}"


async def test_a_call_goes_on_after_the_broker_was_killed(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    """First between a link and its answer, then while its task is polled."""
    page = await first_trader(browser, broker)
    knows = {"extensions": [TasksExtension()], "elicitation_callback": opened}
    async with connected(broker, "http", **knows) as client:
        asked = await client.session.call_tool("binance_create_order", BUY, allow_input_required=True)
        assert isinstance(asked, InputRequiredResult)
        broker.kill()
        with started(broker.folder, exchange, broker.port) as after:
            handle = await client.session.call_tool(
                "binance_create_order",
                BUY,
                input_responses={"approval": ElicitResult(action="accept")},
                request_state=asked.request_state,
                allow_claimed=True,
            )
            assert isinstance(handle, Handle)
            after.kill()
        with started(broker.folder, exchange, broker.port):
            assert (await ask(client.session, "get", handle.task_id)).status == "working"
            await page.reload()
            await page.get_by_role("button", name=APPROVE).click()
            task = await eventually(lambda: ended(client, handle.task_id))
    assert task is not None
    assert task.result is not None
    assert task.result["structuredContent"]["status"] == "placed"
    [order] = await orders_at(exchange.url)
    assert order["clientOrderId"] == f"cb-{handle.task_id}"


@pytest.mark.parametrize("over", ["http", "stdio"])
async def test_a_person_opens_the_link_and_approves_behind_it(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess, over: str
) -> None:
    page = await first_trader(browser, broker)

    async def decline(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="decline")

    async def approve(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        assert params.mode == "url"
        await page.goto(params.url)
        await page.get_by_role("button", name=APPROVE).click()
        return ElicitResult(action="accept")

    async with connected(broker, over, elicitation_callback=decline) as client:
        refused = body(await client.call_tool("binance_create_order", {**BUY, "amount": "0.011"}))
        assert (refused["status"], await orders_at(exchange.url)) == ("pending", [])
    async with connected(broker, over, elicitation_callback=approve) as client:
        told = body(await asyncio.wait_for(client.call_tool("binance_create_order", BUY), 30))
        listed = body(await client.call_tool("intent_list", {}))
    assert (told["status"], listed["count"]) == ("placed", 2)
    assert len(await orders_at(exchange.url)) == 1
