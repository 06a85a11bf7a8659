"""The broker's one door to Binance: a venue for each market."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..clock import Clock
from ..settings import Settings
from .models import Market
from .spot import Spot


class Exchange:
    """Reads raise BrokerError and nothing else, within `read_seconds`."""

    def __init__(
        self,
        settings: Settings,
        *,
        paper_url: str | None,
        clock: Clock,
        markets_cache: Path | None,
        read_seconds: float = 8.0,
        submit_seconds: float = 20.0,
    ) -> None:
        self.spot = Spot(
            settings,
            paper_url=paper_url,
            clock=clock,
            markets_cache=markets_cache,
            read_seconds=read_seconds,
            submit_seconds=submit_seconds,
        )

    def on(self, market: str) -> Spot:
        """The venue of a market, "spot" or "futures"."""
        return {Market.SPOT: self.spot}[Market(market)]

    async def start(self) -> None:
        """Connects and loads the markets in the background, as often as it takes."""
        await self.spot.start()

    async def close(self) -> None:
        await self.spot.close()

    async def until_ready(self) -> None:
        await asyncio.gather(self.spot.until_ready())

    @property
    def last_error(self) -> str | None:
        """What was wrong with the last call, when it is not its caller's fault."""
        return self.spot.last_error
