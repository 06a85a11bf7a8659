"""The public futures endpoints: prices, books, candles, filters, funding."""

from collections.abc import Callable
from typing import Any

from ..http.endpoints import Endpoint, Endpoints
from ..http.errors import Refusal, mandatory
from ..http.limits import Limits
from ..http.params import SYMBOL, Params
from ..market.candles import INTERVALS, closing, openings
from ..market.market import Market
from ..market.prices import slot_of
from ..spot.market_answers import kline
from ..spot.market_endpoints import requested_slots
from . import funding, market_answers
from .exchange import FuturesExchange

_DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
"""The allowed limits of depth, with their request weights."""
_DEFAULT_DEPTH = 500


class MarketEndpoints:
    def __init__(self, exchange: FuturesExchange, limits: Limits) -> None:
        self._exchange = exchange
        self._limits = limits

    def endpoints(self) -> Endpoints:
        ranges = ("symbol", "startTime", "endTime", "limit")
        one = ("symbol",)
        return {
            ("GET", "/fapi/v1/ping"): Endpoint(self.ping, 1),
            ("GET", "/fapi/v1/time"): Endpoint(self.time, 1),
            ("GET", "/fapi/v1/exchangeInfo"): Endpoint(self.exchange_info, 1),
            ("GET", "/fapi/v1/depth"): Endpoint(self.depth, _depth_weight, ("symbol", "limit")),
            ("GET", "/fapi/v1/trades"): Endpoint(self.trades, 5, ("symbol", "limit")),
            ("GET", "/fapi/v1/aggTrades"): Endpoint(self.aggregate_trades, 20, ("fromId", *ranges)),
            ("GET", "/fapi/v1/klines"): Endpoint(self.klines, _klines_weight, ("interval", *ranges)),
            ("GET", "/fapi/v1/ticker/24hr"): Endpoint(self.day_ticker, _weight(1, 40), one),
            ("GET", "/fapi/v1/ticker/price"): Endpoint(self.price, _weight(1, 2), one),
            ("GET", "/fapi/v2/ticker/price"): Endpoint(self.price, _weight(1, 2), one),
            ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint(self.book_ticker, _weight(2, 5), one),
            ("GET", "/fapi/v1/premiumIndex"): Endpoint(self.premium_index, _weight(1, 10), one),
            ("GET", "/fapi/v1/fundingRate"): Endpoint(self.funding_rates, 1, ranges),
            ("GET", "/fapi/v1/fundingInfo"): Endpoint(self.funding_info, 0),
        }

    def ping(self, _: Params) -> Any:
        return {}

    def time(self, _: Params) -> Any:
        return {"serverTime": self._exchange.now}

    def exchange_info(self, _: Params) -> Any:
        return {
            "timezone": "UTC",
            "serverTime": self._exchange.now,
            "futuresType": "U_MARGINED",
            "rateLimits": self._limits.listed(),
            "exchangeFilters": [],
            "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
            "symbols": [
                market_answers.contract_info(contract) for contract in self._exchange.contracts.values()
            ],
        }

    def depth(self, params: Params) -> Any:
        market, now = self._market(params), self._exchange.now
        limit = params.integer("limit") or _DEFAULT_DEPTH
        if limit not in _DEPTHS:
            raise Refusal(-4021, f"'{limit}' is not valid depth limit.")
        return market_answers.depth(market.book(now), slot_of(now), limit, now)

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
        opened = openings(interval, params.integer("startTime"), until, params.limit(500, 1500))
        return [kline(market.candle(start, closing(interval, start), now)) for start in opened]

    def day_ticker(self, params: Params) -> Any:
        now = self._exchange.now
        last = slot_of(now)
        return self._each(
            params,
            lambda market: market_answers.day_ticker(
                market.symbol.name, market.day(now), market.public_trade(last)
            ),
        )

    def price(self, params: Params) -> Any:
        now = self._exchange.now
        return self._each(
            params, lambda market: market_answers.price(market.symbol.name, market.price(now), now)
        )

    def book_ticker(self, params: Params) -> Any:
        now = self._exchange.now
        return self._each(
            params, lambda market: market_answers.book_ticker(market.book(now), slot_of(now), now)
        )

    def premium_index(self, params: Params) -> Any:
        now = self._exchange.now
        return self._each(params, lambda market: self._premium(market, now))

    def funding_rates(self, params: Params) -> Any:
        """Return rates oldest first: those from `startTime`, or else the newest."""
        limit, now = params.limit(100, 1000), self._exchange.now
        start, end = params.integer("startTime"), params.integer("endTime")
        until = now if end is None else min(end, now)
        newest = funding.next_time(until) - funding.INTERVAL_MS
        after = newest - limit * funding.INTERVAL_MS if start is None else start - 1
        names = [self._market(params).symbol.name] if "symbol" in params else list(self._exchange.contracts)
        rates = [self._funding(name, time) for time in funding.times(after, until)[:limit] for name in names]
        return rates[:limit] if start is not None else rates[-limit:]

    def funding_info(self, _: Params) -> Any:
        return [market_answers.funding_info(name) for name in self._exchange.contracts]

    def _premium(self, market: Market, now: int) -> Any:
        name = market.symbol.name
        rate = funding.rate(name, self._exchange.seed, funding.next_time(now))
        return market_answers.premium_index(name, market.price(now), rate, now)

    def _funding(self, name: str, time: int) -> Any:
        mark = self._exchange.market(name).public_trade(slot_of(time)).price
        return market_answers.funding_rate(name, funding.rate(name, self._exchange.seed, time), time, mark)

    def _each(self, params: Params, answer: Callable[[Market], Any]) -> Any:
        """Return one answer for `symbol`, or else a list of all."""
        if "symbol" in params:
            return answer(self._market(params))
        return [answer(self._exchange.market(name)) for name in self._exchange.contracts]

    def _market(self, params: Params) -> Market:
        return self._exchange.market(symbol_of(params))


def symbol_of(params: Params) -> str:
    name = params.text("symbol", SYMBOL)
    if name is None:
        raise mandatory("symbol")
    return name


def _weight(one: int, every: int) -> Callable[[Params], int]:
    return lambda params: one if "symbol" in params else every


def _depth_weight(params: Params) -> int:
    return _DEPTHS.get(params.limit(_DEFAULT_DEPTH, 1000), 20)


def _klines_weight(params: Params) -> int:
    limit = params.limit(500, 1500)
    return next(weight for below, weight in ((100, 1), (500, 2), (1001, 5), (1501, 10)) if limit < below)
