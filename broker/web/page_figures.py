"""Equity and current figures for pages: read from the exchange within a second, and shared by all tabs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from ..cards import Figure
from ..errors import BrokerError
from ..exchange import PAGES_PCT, leaving_room
from ..intents import Intent
from .deps import Desk
from .shared import Shared

TIMEOUT_SECONDS = 1.0
CACHE_SECONDS = 5

T = TypeVar("T")

Figures = dict[str, list[Figure] | None]
"""Current figures by intent id; None if they could not be read."""


class PageFigures:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._equity: Shared[int, Decimal | None] = Shared(keep=2)
        self._figures: Shared[tuple[str, int], list[Figure] | None] = Shared(keep=500)

    async def equity(self) -> Decimal | None:
        """In USDT; None if it could not be read."""
        return await self._equity.get(self._period(), lambda: _read_or_none(self._desk.equity))

    async def figures(self, intents: Sequence[Intent]) -> Figures:
        found = await asyncio.gather(*(self._figures_of(intent) for intent in intents))
        return {intent.id: figures for intent, figures in zip(intents, found, strict=True)}

    async def _figures_of(self, intent: Intent) -> list[Figure] | None:
        key = (intent.id, self._period())
        return await self._figures.get(key, lambda: _read_or_none(lambda: self._desk.figures_now(intent)))

    def _period(self) -> int:
        """Part of the cache key; changes every CACHE_SECONDS."""
        return int(self._desk.clock().timestamp()) // CACHE_SECONDS


async def _read_or_none(read: Callable[[], Awaitable[T | None]]) -> T | None:
    """None if the read fails or takes longer than TIMEOUT_SECONDS."""
    try:
        with leaving_room(PAGES_PCT):
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await read()
    except (BrokerError, TimeoutError):
        return None
