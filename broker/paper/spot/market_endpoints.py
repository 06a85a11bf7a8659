"""The public spot endpoints: prices, books, candles, filters."""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

from ..http.endpoints import Endpoint, Endpoints
from ..http.errors import Refusal, invalid_symbol, mandatory
from ..http.limits import Limits
from ..http.params import SYMBOL, Params
from ..market.candles import INTERVALS, closing, openings
from ..market.market import Market
from ..market.prices import SLOT_MS, slot_of
from . import market_answers
from .exchange import Exchange

_TICKER_PARAMETERS = ("symbol", "symbols", "type")


class _TickerType(StrEnum):
    FULL = "FULL"
    MINI = "MINI"


class SpotMarket:
    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self._exchange = exchange
        self._limits = limits
        self._infos = {name: market_answers.symbol_info(symbol) for name, symbol in exchange.symbols.items()}

    def endpoints(self) -> Endpoints:
        ranges = ("startTime", "endTime", "limit")
        info = ("symbol", "symbols", "showPermissionSets")
        return {
            ("GET", "/api/v3/ping"): Endpoint(self.ping, 1),
            ("GET", "/api/v3/time"): Endpoint(self.time, 1),
            ("GET", "/api/v3/exchangeInfo"): Endpoint(self.exchange_info, 20, info),
            ("GET", "/api/v3/depth"): Endpoint(self.depth, _depth_weight, ("symbol", "limit")),
            ("GET", "/api/v3/trades"): Endpoint(self.trades, 25, ("symbol", "limit")),
            ("GET", "/api/v3/aggTrades"): Endpoint(self.aggregate_trades, 4, ("symbol", "fromId", *ranges)),
            ("GET", "/api/v3/klines"): Endpoint(self.klines, 2, ("symbol", "interval", *ranges)),
            ("GET", "/api/v3/avgPrice"): Endpoint(self.average_price, 2, ("symbol",)),
            ("GET", "/api/v3/ticker/24hr"): Endpoint(self.day_ticker, _day_weight, _TICKER_PARAMETERS),
            ("GET", "/api/v3/ticker/price"): Endpoint(self.price, _ticker_weight, _TICKER_PARAMETERS),
            ("GET", "/api/v3/ticker/bookTicker"): Endpoint(
                self.book_ticker, _ticker_weight, _TICKER_PARAMETERS
            ),
        }

    def ping(self, _: Params) -> Any:
        return {}

    def time(self, _: Params) -> Any:
        return {"serverTime": self._exchange.now}

    def exchange_info(self, params: Params) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self._exchange.now,
            "rateLimits": self._limits.listed(),
            "exchangeFilters": [],
            "symbols": [self._info(name, params) for name in self._names(params)],
        }

    def depth(self, params: Params) -> Any:
        now = self._exchange.now
        book = self._market(params).book(now)
        return market_answers.depth(book, slot_of(now), params.limit(100, 5000))

    def trades(self, params: Params) -> Any:
        market, last = self._market(params), slot_of(self._exchange.now)
        first = last + 1 - params.limit(500, 1000)
        return [market_answers.public_trade(market.public_trade(slot)) for slot in range(first, last + 1)]

    def aggregate_trades(self, params: Params) -> Any:
        market, slots = self._market(params), requested_slots(params, slot_of(self._exchange.now))
        return [market_answers.aggregate_trade(market.public_trade(slot)) for slot in slots]

    def klines(self, params: Params) -> Any:
        market, now = self._market(params), self._exchange.now
        params.require(("interval",))
        interval = params.values["interval"]
        if interval not in INTERVALS:
            raise Refusal(-1120, "Invalid interval.")
        end = params.integer("endTime")
        until = now if end is None else min(end, now)
        opened = openings(interval, params.integer("startTime"), until, params.limit(500, 1000))
        return [market_answers.kline(market.candle(start, closing(interval, start), now)) for start in opened]

    def average_price(self, params: Params) -> Any:
        now = self._exchange.now
        return market_answers.average_price(self._market(params).average(now), now)

    def price(self, params: Params) -> Any:
        now = self._exchange.now
        return self._each(params, lambda market: market_answers.price(market.symbol.name, market.price(now)))

    def book_ticker(self, params: Params) -> Any:
        now = self._exchange.now
        return self._each(params, lambda market: market_answers.book_ticker(market.book(now)))

    def day_ticker(self, params: Params) -> Any:
        now = self._exchange.now
        kind = params.choice("type", _TickerType, Refusal(-1139, "Invalid ticker type."))
        if kind is _TickerType.MINI:
            return self._each(
                params, lambda market: market_answers.mini_ticker(market.symbol.name, market.day(now))
            )
        last = slot_of(now)
        return self._each(
            params,
            lambda market: market_answers.day_ticker(
                market.day(now), market.book(now), market.public_trade(last)
            ),
        )

    def _info(self, name: str, params: Params) -> dict[str, Any]:
        bare = params.values.get("showPermissionSets") == "false"
        return self._infos[name] | {"permissionSets": []} if bare else self._infos[name]

    def _each(self, params: Params, answer: Callable[[Market], Any]) -> Any:
        """Return one answer for `symbol`, or else a list."""
        answers = [answer(self._exchange.market(name)) for name in self._names(params)]
        return answers[0] if "symbol" in params else answers

    def _names(self, params: Params) -> list[str]:
        """Return the requested symbols: one, a list, or all."""
        if "symbol" in params and "symbols" in params:
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        if "symbol" in params:
            return [self._market(params).symbol.name]
        names = params.names("symbols") if "symbols" in params else list(self._infos)
        if any(name not in self._infos for name in names):
            raise invalid_symbol()
        return names

    def _market(self, params: Params) -> Market:
        name = params.text("symbol", SYMBOL)
        if name is None:
            raise mandatory("symbol")
        return self._exchange.market(name)


def requested_slots(params: Params, last: int) -> range:
    """Return the slots of the requested trades. A trade's id is its slot."""
    limit, first = params.limit(500, 1000), params.integer("fromId")
    start, end = params.integer("startTime"), params.integer("endTime")
    newest = last if end is None else min(last, slot_of(end))
    if first is None and start is None:
        return range(newest + 1 - limit, newest + 1)
    oldest = first if first is not None else -(-(start or 0) // SLOT_MS)
    return range(oldest, min(oldest + limit, newest + 1))


def _depth_weight(params: Params) -> int:
    limit = params.limit(100, 5000)
    return next(weight for most, weight in ((100, 5), (500, 25), (1000, 50), (5000, 250)) if limit <= most)


def _day_weight(params: Params) -> int:
    return 2 if "symbol" in params or "symbols" in params else 80


def _ticker_weight(params: Params) -> int:
    return 2 if "symbol" in params else 4
