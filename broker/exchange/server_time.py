"""Binance's time, calculated from our clock and the last measured offset."""

from __future__ import annotations

from typing import Any, Final

from ..clock import Clock, to_ms

MAX_AGE_MS: Final = 60_000


class ServerTime:
    """`offset_ms`: how far Binance's clock was ahead of ours at the last measurement."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_at_ms: int | None = None
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Binance's time in UTC milliseconds, without a request."""
        return self.our_ms() + self.offset_ms

    async def ask(self, client: Any) -> int:
        """Ask Binance for its time, in UTC milliseconds, and update the offset."""
        before = self.our_ms()
        theirs = int((await client.ask("time"))["serverTime"])
        self._asked_at_ms = self.our_ms()
        self.offset_ms = theirs - (before + self._asked_at_ms) // 2
        return self.now_ms()

    async def refresh(self, client: Any) -> None:
        """Ask if the offset is stale: private calls are signed with Binance's time."""
        if self.stale:
            await self.ask(client)

    @property
    def stale(self) -> bool:
        """Whether the offset is more than a minute old, or was rejected."""
        return self._asked_at_ms is None or not 0 <= self.our_ms() - self._asked_at_ms <= MAX_AGE_MS

    def distrust(self) -> None:
        """Binance rejected our timestamp: the next `refresh` asks again."""
        self._asked_at_ms = None

    def our_ms(self) -> int:
        """UTC milliseconds by our own clock."""
        return to_ms(self._clock())
