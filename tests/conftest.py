"""What all tests share."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog
from hypothesis import settings
from playwright.async_api import Browser, async_playwright, expect

from broker.settings import Settings

from .support import Wired, wired

MOST_WORKERS = 8
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


gc.disable()  # until all tests are imported: they stay, and looking through them takes long, also later


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


expect.set_options(timeout=15_000)  # what is asked for is that it comes; how soon is the bench's matter
settings.register_profile("unhurried", settings.default, deadline=None)
settings.load_profile("unhurried")


def plain_logs() -> None:
    """As the broker logs: structlog's own default draws every local variable of a traceback, for seconds."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ]
    )


plain_logs()


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: most tests wait for processes, browsers and clocks of their own."""
    return min(MOST_WORKERS, 2 + (os.cpu_count() or 1))


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
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that runs the tests reaches them."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Wired]:
    async with wired(tmp_path) as broker:
        yield broker
