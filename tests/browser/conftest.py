from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from broker.clock import random_bytes, utc_now

from ..web.support import PASSWORD, world
from .site import Site, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to have Chromium")
        pytest.skip("Chromium is not installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        await browser.close()


@pytest.fixture
async def site(browser: Browser, tmp_path: Path) -> AsyncIterator[Site]:
    """The pages on a port of this machine, with a real store, and Ana as a trader."""
    async with world(tmp_path, utc_now, random_bytes) as desk:
        desk.store.people.add_trader("Ana", PASSWORD, actor="first-run link")
        async with served(desk) as url:
            site = Site(browser=browser, desk=desk, url=url)
            yield site
            site.expect_clean_console()
