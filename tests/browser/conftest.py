from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from broker.clock import random_bytes, utc_now

from ..web.support import PASSWORD, world
from .site import Site, served


@pytest.fixture
async def site(browser: Browser, tmp_path: Path) -> AsyncIterator[Site]:
    """The pages on a port of this machine, with a real store, and Ana as a trader."""
    async with world(tmp_path, utc_now, random_bytes) as desk:
        desk.store.people.add_trader("Ana", PASSWORD, actor="first-run link")
        async with served(desk) as url:
            site = Site(browser=browser, desk=desk, url=url)
            yield site
            site.expect_clean_console()
