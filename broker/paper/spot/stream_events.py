"""The JSON of spot market events, with all fields (source: Binance's web-socket-streams.md)."""

from ..market.amounts import ZERO, text
from ..market.book import Book
from ..market.market import Candle, PublicTrade
from ..market.orders import Side
from ..market.prices import slot_of
from ..streams.depth import BookChange, Quantities
from . import market_answers
from .market_answers import Json


def mini_ticker(symbol: str, day: Candle, now: int) -> Json:
    return {
        "e": "24hrMiniTicker",
        "E": now,
        "s": symbol,
        "c": text(day.close),
        "o": text(day.open),
        "h": text(day.high),
        "l": text(day.low),
        "v": text(day.volume),
        "q": text(day.quote_volume),
    }


def ticker(day: Candle, book: Book, last: PublicTrade, now: int) -> Json:
    bid, ask = book.best(Side.BUY), book.best(Side.SELL)
    change = day.close - day.open
    return {
        **mini_ticker(book.symbol.name, day, now),
        "e": "24hrTicker",
        "p": text(change),
        "P": f"{change * 100 / day.open:.3f}",
        "w": text(day.quote_volume / day.volume),
        "x": text(day.open),
        "Q": text(last.quantity),
        "b": text(bid.price if bid else ZERO),
        "B": text(bid.quantity if bid else ZERO),
        "a": text(ask.price if ask else ZERO),
        "A": text(ask.quantity if ask else ZERO),
        "O": day.start,
        "C": day.end,
        "F": day.first_trade,
        "L": day.last_trade,
        "n": day.last_trade - day.first_trade + 1,
    }


def book_ticker(book: Book, now: int) -> Json:
    bid, ask = book.best(Side.BUY), book.best(Side.SELL)
    return {
        "u": slot_of(now),
        "s": book.symbol.name,
        "b": text(bid.price if bid else ZERO),
        "B": text(bid.quantity if bid else ZERO),
        "a": text(ask.price if ask else ZERO),
        "A": text(ask.quantity if ask else ZERO),
    }


def trade(symbol: str, trade: PublicTrade, now: int) -> Json:
    return {
        "e": "trade",
        "E": now,
        "s": symbol,
        "t": trade.id,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "T": trade.time,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def aggregate_trade(symbol: str, trade: PublicTrade, now: int) -> Json:
    return {"e": "aggTrade", "E": now, "s": symbol, **market_answers.aggregate_trade(trade)}


def kline(symbol: str, interval: str, candle: Candle, closed: bool, now: int) -> Json:
    return {
        "e": "kline",
        "E": now,
        "s": symbol,
        "k": {
            "t": candle.start,
            "T": candle.end,
            "s": symbol,
            "i": interval,
            "f": candle.first_trade,
            "L": candle.last_trade,
            "o": text(candle.open),
            "c": text(candle.close),
            "h": text(candle.high),
            "l": text(candle.low),
            "v": text(candle.volume),
            "n": candle.last_trade - candle.first_trade + 1,
            "x": closed,
            "q": text(candle.quote_volume),
            "V": text(candle.taker_buy_volume),
            "Q": text(candle.taker_buy_quote_volume),
            "B": "0",
        },
    }


def depth_change(symbol: str, change: BookChange, now: int) -> Json:
    return {
        "e": "depthUpdate",
        "E": now,
        "s": symbol,
        "U": change.before + 1,
        "u": change.last,
        "b": _levels(change.bids),
        "a": _levels(change.asks),
    }


def _levels(quantities: Quantities) -> list[list[str]]:
    return [[text(price), text(quantity)] for price, quantity in quantities.items()]
