"""All access to Binance: a venue for each market, live prices, order updates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..clock import Clock
from ..settings import Settings
from .futures import Futures
from .models import Market
from .order_updates import OrderUpdates
from .prices import Prices
from .spot import Spot


class Exchange:
    """Reads raise only BrokerError, within `read_seconds`. `cache_folder`: where the markets are cached."""

    def __init__(
        self,
        settings: Settings,
        *,
        paper_url: str | None,
        clock: Clock,
        cache_folder: Path | None,
        read_seconds: float = 8.0,
        submit_seconds: float = 20.0,
    ) -> None:
        self.spot = Spot(
            settings,
            paper_url=paper_url,
            clock=clock,
            cache_folder=cache_folder,
            read_seconds=read_seconds,
            submit_seconds=submit_seconds,
        )
        self.futures = Futures(
            settings,
            paper_url=paper_url,
            clock=clock,
            cache_folder=cache_folder,
            read_seconds=read_seconds,
            submit_seconds=submit_seconds,
        )
        self._venues: dict[Market, Spot | Futures] = {Market.SPOT: self.spot, Market.FUTURES: self.futures}
        self.prices = Prices(self._venues, clock)
        self._news = OrderUpdates(self._venues.values(), configured=settings.configured)

    def on(self, market: str) -> Spot | Futures:
        """The venue of a market, "spot" or "futures"."""
        return self._venues[Market(market)]

    async def start(self) -> None:
        """Start loading the markets in the background; retries until it succeeds."""
        for venue in self._venues.values():
            await venue.start()

    async def close(self) -> None:
        await self._news.close()
        await self.prices.close()
        for venue in self._venues.values():
            await venue.close()

    async def until_ready(self) -> None:
        """Wait until the spot markets are loaded. Not for futures: a key may lack that permission."""
        await self.spot.until_ready()

    def order_news(self, listener: Callable[[str, str], None]) -> None:
        """Call `listener` with market and client order id when Binance reports a change of an order.

        An empty id means that any order of that market may have changed. Needs `watch_orders(True)`.
        """
        self._news.listen(listener)

    def watch_orders(self, wanted: bool) -> None:
        """Start or stop the order streams. Without API keys nothing runs."""
        self._news.watch(wanted)

    @property
    def last_error(self) -> str | None:
        """The error of the last call, unless the caller caused it; None if there was none."""
        return self.spot.last_error or self.futures.last_error
