"""Sources that remember what they have sent: trades, changed best prices, candles.

Both markets use them. `render` creates the event.
"""

from collections.abc import Callable, Sequence

from ..market.book import Book, Level
from ..market.candles import closing, opening
from ..market.market import Candle, Market, PublicTrade
from ..market.orders import Side
from ..market.prices import slot_of
from .feeds import Payload

FindMarket = Callable[[], Market]
"""Called each time, because the exchange may have reloaded its markets."""

_MAX_PER_UPDATE = 100
"""After a pause only this many of the newest trades are sent."""


class Trades:
    """Every trade since the stream started."""

    def __init__(self, market: FindMarket, now: int, render: Callable[[PublicTrade, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._last = slot_of(now) - 1

    def __call__(self, now: int) -> Sequence[Payload]:
        slot = slot_of(now)
        slots = range(max(self._last + 1, slot + 1 - _MAX_PER_UPDATE), slot + 1)
        self._last = slot
        market = self._market()
        return [self._render(market.public_trade(each), now) for each in slots]


class BestPrices:
    """The best bid and ask, whenever they change."""

    def __init__(self, market: FindMarket, render: Callable[[Book, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._sent: tuple[Level | None, Level | None] | None = None

    def __call__(self, now: int) -> Sequence[Payload]:
        book = self._market().book(now)
        best = book.best(Side.BUY), book.best(Side.SELL)
        if best == self._sent:
            return []
        self._sent = best
        return [self._render(book, now)]


class Candles:
    """The current candle until now, and each candle once more when it has closed."""

    def __init__(
        self, market: FindMarket, interval: str, now: int, render: Callable[[Candle, bool, int], Payload]
    ) -> None:
        self._market = market
        self._interval = interval
        self._render = render
        self._opened = opening(interval, now)

    def __call__(self, now: int) -> Sequence[Payload]:
        before, self._opened = self._opened, opening(self._interval, now)
        opened = [before] if before == self._opened else [before, self._opened]
        return [self._candle(start, now) for start in opened]

    def _candle(self, start: int, now: int) -> Payload:
        end = closing(self._interval, start)
        return self._render(self._market().candle(start, end, now), end <= now, now)
