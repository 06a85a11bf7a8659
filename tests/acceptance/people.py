"""An agent with a real MCP client, and a trader with a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from playwright.async_api import Browser, Page

from .processes import BrokerProcess

PASSWORD = "correct horse battery"

Era = Literal["legacy", "auto"]


class Agent:
    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert isinstance(result.structured_content, dict)
        return result.structured_content

    async def park(self, **arguments: Any) -> dict[str, Any]:
        order = {"symbol": "BTCUSDT", "side": "buy", "amount": "0.01", **arguments}
        answer = await self.call("binance_create_order", **order)
        assert answer.get("status") == "pending", answer
        return answer


@asynccontextmanager
async def agent(broker: BrokerProcess, era: Era = "auto") -> AsyncIterator[Agent]:
    headers = {"X-MCP-API-Key": broker.key}
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(f"{broker.url}/mcp", http_client=http)
        async with Client(transport, mode=era) as client:
            yield Agent(client)


async def first_trader(browser: Browser, broker: BrokerProcess, name: str = "Ana") -> Page:
    """Follows the one-time link, and ends at the inbox."""
    assert broker.invitation is not None
    page = await (await browser.new_context()).new_page()
    await page.goto(broker.invitation)
    await page.get_by_label("Name").fill(name)
    for field in await page.locator("input[type=password]").all():
        await field.fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await page.wait_for_url(f"{broker.page}/")
    return page


async def sign_in(browser: Browser, broker: BrokerProcess, name: str = "Ana") -> Page:
    page = await (await browser.new_context()).new_page()
    await page.goto(f"{broker.page}/signin")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{broker.page}/")
    return page


async def orders_at(exchange_url: str) -> list[dict[str, Any]]:
    """Every order that the paper exchange ever took."""
    async with httpx2.AsyncClient() as http:
        answer = await http.get(f"{exchange_url}/control/orders")
        found: list[dict[str, Any]] = answer.json()["orders"]
        return found


async def control(exchange_url: str, what: str, **body: Any) -> None:
    async with httpx2.AsyncClient() as http:
        (await http.post(f"{exchange_url}/control/{what}", json=body)).raise_for_status()
