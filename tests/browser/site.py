"""The pages in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from ..serving import serving
from ..web.support import World


@asynccontextmanager
async def served(desk: World) -> AsyncIterator[str]:
    async with serving(desk.app) as url:
        yield url
        desk.hub.close()


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
