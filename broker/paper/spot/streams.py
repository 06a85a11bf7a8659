"""The market streams of spot by name: `btcusdt@miniTicker`, `!ticker@arr` and so on."""

import re
from functools import partial

from ..market.candles import INTERVALS
from ..market.prices import slot_of
from ..streams.depth import DepthChanges
from ..streams.feeds import Payload, Source, Stream
from ..streams.rate_limit import Pace
from ..streams.sources import BestPrices, Candles, Trades
from . import market_answers, stream_events
from .exchange import Exchange
from .market_answers import Json

_DEPTH = re.compile(r"depth(5|10|20)?(@100ms|@1000ms)?")


class SpotStreams:
    def __init__(self, exchange: Exchange, pace: Pace) -> None:
        self._exchange = exchange
        self._pace = pace

    def stream(self, name: str) -> Stream | None:
        """Return the stream, or None if nothing is ever sent for that name."""
        subject, _, channel = name.partition("@")
        if name in ("!miniTicker@arr", "!ticker@arr"):
            return Stream(partial(self._all_tickers, subject[1:]), self._pace.slow)
        if subject != subject.lower() or subject.upper() not in self._exchange.symbols:
            return None
        return self._ticker(subject.upper(), channel) or self._trades_or_book(subject.upper(), channel)

    def _ticker(self, symbol: str, channel: str) -> Stream | None:
        """Return a ticker or candle stream, which repeats its current state."""
        if channel in ("miniTicker", "ticker"):
            return Stream(lambda now: [self._day(symbol, channel, now)], self._pace.slow)
        kind, _, interval = channel.partition("_")
        if kind != "kline" or interval not in INTERVALS:
            return None
        render = partial(stream_events.kline, symbol, interval)
        candles = Candles(partial(self._exchange.market, symbol), interval, self._exchange.now, render)
        return Stream(candles, self._pace.slow)

    def _trades_or_book(self, symbol: str, channel: str) -> Stream | None:
        """Return a stream of trades or of the book."""
        market, now, fast = partial(self._exchange.market, symbol), self._exchange.now, self._pace.fast
        match channel:
            case "bookTicker":
                return Stream(BestPrices(market, stream_events.book_ticker), fast)
            case "trade":
                return Stream(Trades(market, now, partial(stream_events.trade, symbol)), fast)
            case "aggTrade":
                return Stream(Trades(market, now, partial(stream_events.aggregate_trade, symbol)), fast)
        if depth := _DEPTH.fullmatch(channel):
            levels, speed = depth.groups()
            return Stream(self._depth(symbol, levels), fast if speed == "@100ms" else self._pace.slow)
        return None

    def _depth(self, symbol: str, levels: str | None) -> Source:
        market = partial(self._exchange.market, symbol)
        if levels is None:
            return DepthChanges(market, self._exchange.now, partial(stream_events.depth_change, symbol))
        return lambda now: [market_answers.depth(market().book(now), slot_of(now), int(levels))]

    def _day(self, symbol: str, channel: str, now: int) -> Json:
        market = self._exchange.market(symbol)
        if channel == "miniTicker":
            return stream_events.mini_ticker(symbol, market.day(now), now)
        return stream_events.ticker(market.day(now), market.book(now), market.public_trade(slot_of(now)), now)

    def _all_tickers(self, channel: str, now: int) -> list[Payload]:
        return [[self._day(symbol, channel, now) for symbol in self._exchange.symbols]]
