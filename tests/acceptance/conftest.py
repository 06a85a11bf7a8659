from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from .processes import BrokerProcess, PaperProcess

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
def exchange(tmp_path: Path) -> Iterator[PaperProcess]:
    with PaperProcess(tmp_path) as exchange:
        yield exchange


@pytest.fixture
def broker(tmp_path: Path, exchange: PaperProcess) -> Iterator[BrokerProcess]:
    """A broker on an exchange that outlives it."""
    with BrokerProcess(tmp_path, PAPER_URL=exchange.url) as broker:
        yield broker
