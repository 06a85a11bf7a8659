"""What tests of tools share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..support import Wired, wired
from .support import hold_futures_price


@pytest.fixture
async def futures(tmp_path: Path) -> AsyncIterator[Wired]:
    """A broker with futures of BTC held at 60,000 too."""
    async with wired(tmp_path) as broker:
        await hold_futures_price(broker)
        yield broker
