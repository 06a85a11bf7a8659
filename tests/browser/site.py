"""The pages in a real browser."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from ..web.support import World


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def served(desk: World) -> AsyncIterator[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            desk.app, lifespan="off", ws="none", log_config=None, timeout_graceful_shutdown=1
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        await server.ready.wait()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        desk.hub.close()
        server.should_exit = True
        await running


@dataclass
class Site:
    browser: Browser
    desk: World
    url: str
    console: list[str] = field(default_factory=list)
    expected: tuple[str, ...] = ()

    async def context(self, token: str | None = None, **options: Any) -> BrowserContext:
        """A browser of its own, signed in with that session or a new one of Ana's."""
        context = await self.browser.new_context(**options)
        token = token or await self.desk.sign_in()
        await context.add_cookies([{"name": self.desk.cookie, "value": token, "url": self.url}])
        return context

    async def open(self, path: str = "/", context: BrowserContext | None = None, **options: Any) -> Page:
        page = await (context or await self.context(**options)).new_page()
        page.on("console", self._keep)
        page.on("pageerror", lambda error: self.console.append(f"error: {error}"))
        await page.goto(self.url + path)
        return page

    async def inbox(self, context: BrowserContext | None = None, **options: Any) -> Page:
        """The inbox, following what happens."""
        page = await self.open(context=context, **options)
        await connected(page)
        return page

    def _keep(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console.append(message.text)

    def expect_clean_console(self) -> None:
        unexpected = [line for line in self.console if not any(known in line for known in self.expected)]
        assert unexpected == [], unexpected


async def connected(page: Page) -> None:
    await expect(page.locator("#connection")).to_have_text("Connected", timeout=20_000)
