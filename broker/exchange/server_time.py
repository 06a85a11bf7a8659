"""Binance's clock, as far as ours tells it."""

from __future__ import annotations

from typing import Any, Final

from ..clock import Clock, to_ms

MAX_AGE_MS: Final = 60_000


class ServerTime:
    """Our clock, and what Binance's was ahead of it when last asked."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at_ms: int | None = None
        self.offset_ms = 0

    def now_ms(self) -> int:
        """UTC milliseconds by Binance's clock, without asking."""
        return self.our_ms() + self.offset_ms

    async def ask(self, client: Any) -> int:
        """UTC milliseconds by Binance's clock, asked now."""
        before = self.our_ms()
        theirs = int((await client.ask("time"))["serverTime"])
        self._asked_at_ms = self.our_ms()
        self.offset_ms = theirs - (before + self._asked_at_ms) // 2
        return self.now_ms()

    async def refresh(self, client: Any) -> None:
        """Ask if `stale`: private calls are signed by it."""
        if self.stale:
            await self.ask(client)

    @property
    def stale(self) -> bool:
        """Whether the last answer is more than a minute old."""
        return self._asked_at_ms is None or not 0 <= self.our_ms() - self._asked_at_ms <= MAX_AGE_MS

    def distrust(self) -> None:
        """Binance found our time wrong: the next `refresh` asks."""
        self._asked_at_ms = None

    def our_ms(self) -> int:
        """UTC milliseconds by our own clock."""
        return to_ms(self._clock())
