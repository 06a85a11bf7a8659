from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..support import Clock
from .support import Endpoint, Telling, endpoint, telling


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def there() -> AsyncIterator[Endpoint]:
    """Where a channel leads."""
    async with endpoint() as made:
        yield made


@pytest.fixture
async def told(tmp_path: Path, clock: Clock) -> AsyncIterator[Telling]:
    async with telling(tmp_path, clock) as made:
        yield made
