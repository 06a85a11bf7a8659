"""Binance's time, computed from our clock and the last measured offset."""

from __future__ import annotations

from typing import Any, Final

from ..clock import Clock, to_ms

MAX_AGE_MS: Final = 60_000


class ServerTime:
    """`offset_ms` is how far Binance's clock was ahead of ours at the last measurement."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at_ms: int | None = None
        self.offset_ms = 0

    def now_ms(self) -> int:
        """UTC milliseconds by Binance's clock, without a request."""
        return self.our_ms() + self.offset_ms

    async def ask(self, client: Any) -> int:
        """Request Binance's time, store the offset, and return UTC milliseconds by Binance's clock."""
        before = self.our_ms()
        theirs = int((await client.ask("time"))["serverTime"])
        self._asked_at_ms = self.our_ms()
        self.offset_ms = theirs - (before + self._asked_at_ms) // 2
        return self.now_ms()

    async def refresh(self, client: Any) -> None:
        """Measure again if `stale`. Private calls carry this time in their signature."""
        if self.stale:
            await self.ask(client)

    @property
    def stale(self) -> bool:
        """Whether the last measurement is more than a minute old."""
        return self._asked_at_ms is None or not 0 <= self.our_ms() - self._asked_at_ms <= MAX_AGE_MS

    def invalidate(self) -> None:
        """Make the next `refresh` measure again, because Binance rejected our time."""
        self._asked_at_ms = None

    def our_ms(self) -> int:
        """UTC milliseconds by our own clock."""
        return to_ms(self._clock())
