"""A paper exchange on loopback, its controls, and the broker's door to it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from broker.clock import utc_now
from broker.exchange import Exchange
from broker.paper import PaperServer
from broker.settings import Settings

from .helpers import Control, connected


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


@pytest.fixture
async def paper(tmp_path: Path) -> AsyncIterator[PaperServer]:
    async with PaperServer(tmp_path / "paper", port=0, seed=1, clock=utc_now) as server:
        yield server


@pytest.fixture
async def control(paper: PaperServer) -> AsyncIterator[Control]:
    async with httpx2.AsyncClient(base_url=f"{paper.url}/control", trust_env=False) as client:
        yield Control(client)


@pytest.fixture
async def exchange(settings: Settings, paper: PaperServer) -> AsyncIterator[Exchange]:
    async with connected(settings, paper.url) as exchange:
        yield exchange


@pytest.fixture
async def impatient(settings: Settings, paper: PaperServer) -> AsyncIterator[Exchange]:
    """It gives up after a third of a second."""
    patience: dict[str, Any] = {"read_seconds": 0.3, "submit_seconds": 0.3}
    async with connected(settings, paper.url, **patience) as exchange:
        yield exchange
