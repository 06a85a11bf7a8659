"""What streams say that don't just repeat the moment: each thing once, or only what is new.

Both markets have them; how an event looks is passed in.
"""

from collections.abc import Callable, Sequence

from ..book import Book, Level
from ..candles import closing, opening
from ..market import Candle, Market, PublicTrade
from ..orders import Side
from ..prices import slot_of
from .feeds import Payload

FindMarket = Callable[[], Market]
"""It is found anew each time: the exchange may have read its markets anew."""

_MOST_AT_ONCE = 100
"""After a pause, so many of the newest trades are told."""


class Trades:
    """Every trade since it began."""

    def __init__(self, market: FindMarket, now: int, render: Callable[[PublicTrade, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._last = slot_of(now) - 1

    def __call__(self, now: int) -> Sequence[Payload]:
        slot = slot_of(now)
        slots = range(max(self._last + 1, slot + 1 - _MOST_AT_ONCE), slot + 1)
        self._last = slot
        market = self._market()
        return [self._render(market.public_trade(each), now) for each in slots]


class BestPrices:
    """The best bid and ask, when they changed."""

    def __init__(self, market: FindMarket, render: Callable[[Book, int], Payload]) -> None:
        self._market = market
        self._render = render
        self._told: tuple[Level | None, Level | None] | None = None

    def __call__(self, now: int) -> Sequence[Payload]:
        book = self._market().book(now)
        best = book.best(Side.BUY), book.best(Side.SELL)
        if best == self._told:
            return []
        self._told = best
        return [self._render(book, now)]


class Candles:
    """The current candle as far as it has come; once it is over, a last time."""

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
