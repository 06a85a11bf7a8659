from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from .support import PASSWORD, CountedBytes, MovableClock, World, world


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock()


@pytest.fixture
async def desk(tmp_path: Path, clock: MovableClock) -> AsyncIterator[World]:
    async with world(tmp_path, clock, CountedBytes()) as made:
        made.store.people.add_trader("Ana", PASSWORD, actor="first-run link")
        yield made


@pytest.fixture
async def stranger(desk: World) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser that nobody signed in with."""
    async with _browser(desk) as client:
        yield client


@pytest.fixture
async def ana(desk: World) -> AsyncIterator[httpx2.AsyncClient]:
    """Ana's browser."""
    async with _browser(desk) as client:
        client.cookies.set(desk.cookie, await desk.sign_in("Ana"))
        yield client


@pytest.fixture
async def ben(desk: World) -> AsyncIterator[httpx2.AsyncClient]:
    """Another trader's browser."""
    async with _browser(desk) as client:
        client.cookies.set(desk.cookie, await desk.sign_in("Ben"))
        yield client


def _browser(desk: World) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(desk.app), base_url="http://localhost")
