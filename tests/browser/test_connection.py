"""What a page says when it cannot know, and how it finds back."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from broker.clock import random_bytes, utc_now
from broker.intents import Intent
from broker.settings import Settings
from broker.store import Store, queries
from broker.web.auth import cookie_name

from ..acceptance.processes import ModuleProcess, environment, free_port
from ..web.support import PASSWORD, open_store, request, signed_in
from .site import Site, connected

pytestmark = pytest.mark.anyio


async def test_a_revoked_session_is_sent_to_sign_in_at_once(site: Site) -> None:
    site.expected = ("401",)
    page = await site.inbox()
    [session] = await site.desk.store.people.sessions_of("Ana")
    await site.desk.store.people.end_session(session.id, "Ana")
    await expect(page).to_have_url(f"{site.url}/signin?next=/")


async def test_a_decision_with_a_session_that_ended_leads_to_sign_in_and_back(site: Site) -> None:
    site.expected = ("401",)
    await site.desk.park()
    page = await site.open()
    await page.evaluate("document.getElementById('stream').remove()")
    [session] = await site.desk.store.people.sessions_of("Ana")
    await site.desk.store.people.end_session(session.id, "Ana")
    await page.get_by_role("button", name="Approve").click()
    await expect(page).to_have_url(f"{site.url}/signin?next=/")


async def test_binances_trouble_shows_and_goes_without_a_reload(site: Site) -> None:
    page = await site.inbox()
    await expect(page.locator("#exchange")).to_be_hidden()
    site.desk.exchange_problem = "Binance cannot be reached"
    await expect(page.get_by_text("Binance cannot be reached")).to_be_visible(timeout=10_000)
    site.desk.exchange_problem = None
    await expect(page.locator("#exchange")).to_be_hidden(timeout=10_000)


@pytest.mark.parametrize("width", [360, 390, 736, 1280])
async def test_binances_trouble_covers_no_alarm_and_moves_nothing(site: Site, width: int) -> None:
    store = site.desk.store
    told = {"channel": "x" * 26, "name": "phone", "trader": "Ana"}
    await store.audit("order:diverged", "reconciler", note="filled worse than the tolerance, by a lot")
    await store.audit("channel:added", "trader:Ana", **told)
    page = await site.inbox(viewport={"width": width, "height": 844})
    alarm, problem = page.locator("#news summary"), page.locator("#exchange")
    below = await page.locator("main").bounding_box()
    site.desk.exchange_problem = "Binance is not available: no connection"
    await expect(problem).to_be_visible(timeout=10_000)
    assert await page.locator("main").bounding_box() == below
    for shown in (alarm.locator("span"), alarm.locator("b")):
        assert not _overlap(await shown.bounding_box(), await problem.bounding_box())


def _overlap(one: Any, other: Any) -> bool:
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "width"), ("y", "height"))
    )


@dataclass
class Server:
    """In a process of its own, on a database that the test writes too, as a second process may."""

    store: Store
    folder: Path
    port: int
    running: ModuleProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        command = ("tests.browser.serve", str(self.folder), str(self.port))
        self.running = await asyncio.to_thread(ModuleProcess, *command, cwd=self.folder, env=environment())
        await asyncio.to_thread(self.running.wait_for, "ready")

    def signal(self, number: signal.Signals) -> None:
        assert self.running
        self.running.send(number)

    def kill(self) -> None:
        if self.running:
            self.running.kill()


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[Server]:
    store = open_store(folder, utc_now, random_bytes)
    store.people.add_trader("Ana", PASSWORD, actor="first-run link")
    server = Server(store, folder, free_port())
    try:
        await server.start()
        yield server
    finally:
        server.kill()
        store.close()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with process(tmp_path) as server:
        yield server


async def inbox(browser: Browser, server: Server) -> Page:
    token = await signed_in(server.store)
    context = await browser.new_context()
    await context.add_cookies([{"name": cookie_name(Settings()), "value": token, "url": server.url}])
    page = await context.new_page()
    await page.goto(server.url)
    await connected(page)
    return page


async def test_a_frozen_server_shows_as_not_connected_and_the_page_finds_back(
    browser: Browser, server: Server
) -> None:
    intent = (await server.store.intents.park(request("0.01"))).intent
    page = await inbox(browser, server)
    await expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    server.signal(signal.SIGSTOP)
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator("#lost")).to_contain_text("NOT CONNECTED", timeout=20_000)
    await expect(page.get_by_text("Not confirmed, checking")).to_be_visible(timeout=20_000)
    await server.store.intents.park(request("0.02"))
    server.signal(signal.SIGCONT)
    await connected(page)
    await expect(page.locator("#lost")).to_be_hidden()
    await expect(page.get_by_role("button", name="Approve BUY 0.02 BTC")).to_be_visible()
    await expect(page.get_by_text("Not confirmed, checking")).to_have_count(0)
    stored = await server.store.read(lambda connection: queries.find(connection, intent.id))
    shown = page.locator(f"#intent-{intent.id}").get_by_text("Approved by Ana")
    await expect(shown).to_have_count(1 if stored.decision else 0)


async def test_a_killed_server_that_comes_back_shows_the_list_as_it_is_then(
    browser: Browser, server: Server
) -> None:
    gone = (await server.store.intents.park(request("0.01"))).intent
    kept = (await server.store.intents.park(request("0.02"))).intent
    page = await inbox(browser, server)
    await page.locator(f"#intent-{kept.id}").get_by_text("Reject with a reason").click()
    server.kill()
    await server.store.intents.withdraw(gone.id, "default")
    new = (await server.store.intents.park(request("0.03"))).intent
    await expect(page.locator("#connection")).to_have_text("NOT CONNECTED", timeout=20_000)
    await server.start()
    await connected(page)
    await expect(page.locator("#pending .card")).to_have_count(2)
    await expect(page.locator(f"#intent-{new.id}")).to_be_visible()
    await expect(page.locator(f"#outcome-{gone.id}")).to_contain_text("Withdrawn by agent default")
    await expect(page.locator(f"#intent-{kept.id}").get_by_label("In your words")).to_be_visible()


async def test_a_click_without_an_answer_is_not_confirmed_until_the_server_says(
    browser: Browser, server: Server
) -> None:
    intent = (await server.store.intents.park(request())).intent
    page = await inbox(browser, server)
    await expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    server.kill()
    await page.get_by_role("button", name="Approve").click()
    await expect(page.get_by_text("Not confirmed, checking")).to_be_visible()
    await expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    await server.start()
    await expect(page.get_by_text("Not recorded so far.")).to_be_visible(timeout=20_000)
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(f"#intent-{intent.id} .outcome")).to_contain_text("Approved by Ana")


async def test_a_click_that_counted_though_its_answer_was_lost_is_shown_as_counted(
    browser: Browser, server: Server
) -> None:
    intent = (await server.store.intents.park(request())).intent
    page = await inbox(browser, server)
    await page.route("**/decision", lambda route: _answer_lost(server, intent, route))
    await page.get_by_role("button", name="Approve").click()
    await expect(page.locator(f"#intent-{intent.id} .outcome")).to_contain_text("Approved by Ana")


async def _answer_lost(server: Server, intent: Intent, route: Route) -> None:
    await server.store.intents.approve(intent.id, intent.digest, "Ana", Decimal(10000))
    await route.abort("connectionreset")
