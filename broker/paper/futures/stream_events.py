"""The JSON of futures market events, with all fields (source: Binance's "WebSocket Market Streams")."""

from decimal import Decimal

from ..market.amounts import ZERO, text
from ..market.book import Book, Level
from ..market.market import Candle, PublicTrade
from ..market.orders import Side
from ..market.prices import SLOT_MS, slot_of
from ..spot.market_answers import Json
from ..streams.depth import BookChange, Quantities
from .contracts import Contract


class FuturesEvents:
    """The events of one contract, with its number of decimals."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._symbol = contract.name

    def mini_ticker(self, day: Candle, now: int) -> Json:
        return {
            "e": "24hrMiniTicker",
            "E": now,
            "s": self._symbol,
            "c": self._price(day.close),
            "o": self._price(day.open),
            "h": self._price(day.high),
            "l": self._price(day.low),
            "v": self._quantity(day.volume),
            "q": self._price(day.quote_volume),
        }

    def ticker(self, day: Candle, last: PublicTrade, now: int) -> Json:
        change = day.close - day.open
        return {
            **self.mini_ticker(day, now),
            "e": "24hrTicker",
            "p": self._price(change),
            "P": f"{change * 100 / day.open:.3f}",
            "w": self._price(day.quote_volume / day.volume),
            "Q": self._quantity(last.quantity),
            "O": day.start,
            "C": day.end,
            "F": day.first_trade,
            "L": day.last_trade,
            "n": day.last_trade - day.first_trade + 1,
        }

    def book_ticker(self, book: Book, now: int) -> Json:
        bid, ask = book.best(Side.BUY), book.best(Side.SELL)
        return {
            "e": "bookTicker",
            "u": slot_of(now),
            "E": now,
            "T": _transaction_time(now),
            "s": self._symbol,
            "b": self._price(bid.price if bid else ZERO),
            "B": self._quantity(bid.quantity if bid else ZERO),
            "a": self._price(ask.price if ask else ZERO),
            "A": self._quantity(ask.quantity if ask else ZERO),
        }

    def mark_price(self, mark: Decimal, rate: Decimal, next_funding: int, now: int) -> Json:
        """Mark, index and settlement price are the same here."""
        return {
            "e": "markPriceUpdate",
            "E": now,
            "s": self._symbol,
            "p": text(mark),
            "ap": text(mark),
            "i": text(mark),
            "P": text(mark),
            "r": text(rate),
            "T": next_funding,
        }

    def trade(self, trade: PublicTrade, now: int) -> Json:
        return {
            "e": "trade",
            "E": now,
            "T": trade.time,
            "s": self._symbol,
            "t": trade.id,
            "p": self._price(trade.price),
            "q": self._quantity(trade.quantity),
            "X": "MARKET",
            "m": trade.buyer_is_maker,
        }

    def aggregate_trade(self, trade: PublicTrade, now: int) -> Json:
        return {
            "e": "aggTrade",
            "E": now,
            "s": self._symbol,
            "a": trade.id,
            "p": self._price(trade.price),
            "q": self._quantity(trade.quantity),
            "nq": self._quantity(trade.quantity),
            "f": trade.id,
            "l": trade.id,
            "T": trade.time,
            "m": trade.buyer_is_maker,
        }

    def kline(self, interval: str, candle: Candle, closed: bool, now: int) -> Json:
        return {
            "e": "kline",
            "E": now,
            "s": self._symbol,
            "k": {
                "t": candle.start,
                "T": candle.end,
                "s": self._symbol,
                "i": interval,
                "f": candle.first_trade,
                "L": candle.last_trade,
                "o": self._price(candle.open),
                "c": self._price(candle.close),
                "h": self._price(candle.high),
                "l": self._price(candle.low),
                "v": self._quantity(candle.volume),
                "n": candle.last_trade - candle.first_trade + 1,
                "x": closed,
                "q": self._price(candle.quote_volume),
                "V": self._quantity(candle.taker_buy_volume),
                "Q": self._price(candle.taker_buy_quote_volume),
                "B": "0",
            },
        }

    def depth_change(self, change: BookChange, now: int) -> Json:
        return self._depth(change.before, change.last, now) | {
            "b": self._changes(change.bids),
            "a": self._changes(change.asks),
        }

    def best_levels(self, book: Book, count: int, now: int) -> Json:
        """An event of the partial book depth stream: all best levels, in the form of a depth update."""
        slot = slot_of(now)
        return self._depth(slot - 1, slot, now) | {
            "b": self._levels(book.levels(Side.BUY, count)),
            "a": self._levels(book.levels(Side.SELL, count)),
        }

    def _depth(self, before: int, last: int, now: int) -> Json:
        return {
            "e": "depthUpdate",
            "E": now,
            "T": _transaction_time(now),
            "s": self._symbol,
            "U": before + 1,
            "u": last,
            "pu": before,
        }

    def _changes(self, quantities: Quantities) -> list[list[str]]:
        return [[self._price(price), self._quantity(quantity)] for price, quantity in quantities.items()]

    def _levels(self, levels: list[Level]) -> list[list[str]]:
        return [[self._price(level.price), self._quantity(level.quantity)] for level in levels]

    def _price(self, amount: Decimal) -> str:
        return f"{amount:.{self._contract.price_decimals}f}"

    def _quantity(self, amount: Decimal) -> str:
        return f"{amount:.{self._contract.quantity_decimals}f}"


def _transaction_time(now: int) -> int:
    """Return the time of the market's last change."""
    return slot_of(now) * SLOT_MS
