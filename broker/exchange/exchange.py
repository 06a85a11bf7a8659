"""The broker's one door to Binance: a venue for each market, live prices, news of orders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..clock import Clock
from ..settings import Settings
from .futures import Futures
from .models import Market
from .order_updates import OrderNews
from .prices import Prices
from .spot import Spot


class Exchange:
    """Reads raise BrokerError and nothing else, within `read_seconds`. `cache_folder` is a folder."""

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
        self._news = OrderNews(self._venues.values(), configured=settings.configured)

    def on(self, market: str) -> Spot | Futures:
        """The venue of a market, "spot" or "futures"."""
        return self._venues[Market(market)]

    async def start(self) -> None:
        """Connects and loads the markets in the background, as often as it takes."""
        for venue in self._venues.values():
            await venue.start()

    async def close(self) -> None:
        await self._news.close()
        await self.prices.close()
        for venue in self._venues.values():
            await venue.close()

    async def until_ready(self) -> None:
        """Spot is: futures follow by themselves, and a key may be without them."""
        await self.spot.until_ready()

    def order_news(self, listener: Callable[[str, str], None]) -> None:
        """`listener` is called with market and client order id ("" for all of that market) when Binance
        tells of a change, while `watch_orders` is on."""
        self._news.listen(listener)

    def watch_orders(self, wanted: bool) -> None:
        """Whether there are orders to follow. Without keys nothing runs."""
        self._news.watch(wanted)

    @property
    def last_error(self) -> str | None:
        """What was wrong with the last call, when it is not its caller's fault."""
        return self.spot.last_error or self.futures.last_error
