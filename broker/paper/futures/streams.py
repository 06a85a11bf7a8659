"""The market streams of USDT-M futures by name and route. `/public` has books and trades, `/market` the rest.

Like Binance, it sends nothing for a stream that is subscribed on the wrong route.
"""

import re
from functools import partial

from ..market.candles import INTERVALS
from ..market.prices import slot_of
from ..spot.market_answers import Json
from ..streams.depth import DepthChanges
from ..streams.feeds import Source, Stream
from ..streams.rate_limit import Pace
from ..streams.sources import BestPrices, Candles, Trades
from . import FuturesExchange, funding
from .stream_events import FuturesEvents

_DEPTH = re.compile(r"depth(5|10|20)?(@100ms|@250ms|@500ms)?")
_MARK_PRICE = re.compile(r"markPrice(@arr)?(@1s)?")
_SLOW_MARK_PRICE = 3
"""The interval without `@1s`, as a multiple of the interval with it."""


class FuturesStreams:
    def __init__(self, exchange: FuturesExchange, pace: Pace) -> None:
        self._exchange = exchange
        self._pace = pace
        self._events = {name: FuturesEvents(contract) for name, contract in exchange.contracts.items()}

    def public(self, name: str) -> Stream | None:
        """Return a stream of `/public`, or None if nothing is ever sent for that name. So does `market`."""
        symbol, channel = self._split(name)
        if symbol is None:
            return None
        events, market, now = self._events[symbol], partial(self._exchange.market, symbol), self._exchange.now
        if channel == "bookTicker":
            return Stream(BestPrices(market, events.book_ticker), self._pace.fast)
        if channel == "trade":
            return Stream(Trades(market, now, events.trade), self._pace.fast)
        depth = _DEPTH.fullmatch(channel)
        return Stream(self._depth(symbol, depth[1]), self._pace.fast) if depth else None

    def market(self, name: str) -> Stream | None:
        if name.startswith("!"):
            return self._of_all(name[1:])
        symbol, channel = self._split(name)
        if symbol is None:
            return None
        kind, _, interval = channel.partition("_")
        if kind == "kline" and interval in INTERVALS:
            return Stream(self._candles(symbol, interval), self._pace.fast)
        if channel == "aggTrade":
            market, render = partial(self._exchange.market, symbol), self._events[symbol].aggregate_trade
            return Stream(Trades(market, self._exchange.now, render), self._pace.fast)
        if channel in ("miniTicker", "ticker"):
            return Stream(lambda now: [self._day(channel, symbol, now)], self._pace.slow)
        mark_price = _MARK_PRICE.fullmatch(channel)
        if mark_price and not mark_price[1]:
            return Stream(lambda now: [self._mark_price(symbol, now)], self._mark_price_pace(channel))
        return None

    def _of_all(self, name: str) -> Stream | None:
        symbols = list(self._exchange.contracts)
        if name in ("miniTicker@arr", "ticker@arr"):
            channel = name.removesuffix("@arr")
            return Stream(lambda now: [[self._day(channel, each, now) for each in symbols]], self._pace.slow)
        mark_price = _MARK_PRICE.fullmatch(name)
        if mark_price and mark_price[1]:
            return Stream(
                lambda now: [[self._mark_price(each, now) for each in symbols]], self._mark_price_pace(name)
            )
        return None

    def _split(self, name: str) -> tuple[str | None, str]:
        """Return the symbol, or None if it is unknown, and the channel."""
        symbol, _, channel = name.partition("@")
        known = symbol == symbol.lower() and symbol.upper() in self._exchange.contracts
        return (symbol.upper() if known else None), channel

    def _depth(self, symbol: str, levels: str | None) -> Source:
        market, events = partial(self._exchange.market, symbol), self._events[symbol]
        if levels is None:
            return DepthChanges(market, self._exchange.now, events.depth_change)
        return lambda now: [events.best_levels(market().book(now), int(levels), now)]

    def _candles(self, symbol: str, interval: str) -> Candles:
        render = partial(self._events[symbol].kline, interval)
        return Candles(partial(self._exchange.market, symbol), interval, self._exchange.now, render)

    def _day(self, channel: str, symbol: str, now: int) -> Json:
        market, events = self._exchange.market(symbol), self._events[symbol]
        if channel == "miniTicker":
            return events.mini_ticker(market.day(now), now)
        return events.ticker(market.day(now), market.public_trade(slot_of(now)), now)

    def _mark_price(self, symbol: str, now: int) -> Json:
        mark, next_funding = self._exchange.market(symbol).price(now), funding.next_time(now)
        rate = funding.rate(symbol, self._exchange.seed, next_funding)
        return self._events[symbol].mark_price(mark, rate, next_funding, now)

    def _mark_price_pace(self, channel: str) -> float:
        return self._pace.slow * (1 if channel.endswith("@1s") else _SLOW_MARK_PRICE)
