"""What is read from the exchange for a page: within a second or not at all, and not for every tab anew."""

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

BOUND_SECONDS = 1.0
FRESH_SECONDS = 5

T = TypeVar("T")

Figures = dict[str, list[Figure] | None]
"""By intent: how the figures are now; None where they could not be read."""


class Readings:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._equity: Shared[int, Decimal | None] = Shared(keep=2)
        self._figures: Shared[tuple[str, int], list[Figure] | None] = Shared(keep=500)

    async def equity(self) -> Decimal | None:
        """USDT; None when it could not be read."""
        return await self._equity.get(self._moment(), lambda: _bounded(self._desk.equity))

    async def figures(self, intents: Sequence[Intent]) -> Figures:
        found = await asyncio.gather(*(self._figures_of(intent) for intent in intents))
        return {intent.id: figures for intent, figures in zip(intents, found, strict=True)}

    async def _figures_of(self, intent: Intent) -> list[Figure] | None:
        key = (intent.id, self._moment())
        return await self._figures.get(key, lambda: _bounded(lambda: self._desk.figures_now(intent)))

    def _moment(self) -> int:
        """Changes every few seconds: what was read before is then read again."""
        return int(self._desk.clock().timestamp()) // FRESH_SECONDS


async def _bounded(read: Callable[[], Awaitable[T | None]]) -> T | None:
    try:
        with leaving_room(PAGES_PCT):
            async with asyncio.timeout(BOUND_SECONDS):
                return await read()
    except (BrokerError, TimeoutError):
        return None
