"""The pages have a host name of their own, so that other servers of this machine never see their cookies."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from .people import agent, first_trader
from .processes import BrokerProcess, PaperProcess, free_port

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def another_server() -> AsyncIterator[tuple[int, list[str]]]:
    """Its port, and what browsers sent it, in small letters."""
    heard: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], heard


async def test_no_other_server_of_this_machine_is_sent_a_traders_session(
    browser: Browser, broker: BrokerProcess
) -> None:
    page = await first_trader(browser, broker)
    async with another_server() as (port, heard):
        for host in ("127.0.0.1", "localhost", "another.localhost"):
            await page.goto(f"http://{host}:{port}/")
    assert len([one for one in heard if one.startswith("get / ")]) == 3
    assert not any("broker_session" in one for one in heard)
    cookies = [cookie for cookie in await page.context.cookies() if "session" in cookie["name"]]
    assert [cookie["domain"] for cookie in cookies] == ["broker.localhost"]


async def test_one_sign_in_is_enough_for_all_links(browser: Browser, broker: BrokerProcess) -> None:
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        parked = await asking.park()
    assert parked["approvalUrl"].startswith(f"{broker.page}/")
    await page.goto(parked["approvalUrl"])
    await expect(page.get_by_role("button", name="Approve BUY 0.01 BTC")).to_be_visible()


async def test_the_address_for_other_browsers_is_printed_and_works(
    browser: Browser, broker: BrokerProcess
) -> None:
    assert any(f"{broker.url} for browsers that cannot open that address" in line for line in broker.output)
    page = await browser.new_page()
    await page.goto(f"{broker.url}/signin")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_where_another_program_would_get_the_cookies_the_pages_stay_on_127_0_0_1(
    tmp_path: Path, exchange: PaperProcess
) -> None:
    port = free_port()
    with socket.socket(socket.AF_INET6) as another:
        try:
            another.bind(("::1", port))
        except OSError:
            pytest.skip("there is no IPv6 on this machine")
        another.listen()
        with BrokerProcess(tmp_path, port=port, PAPER_URL=exchange.url) as broker:
            assert broker.page == broker.url == f"http://127.0.0.1:{port}"
            assert broker.invitation and broker.invitation.startswith(broker.url)
