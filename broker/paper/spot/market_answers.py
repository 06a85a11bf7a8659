"""The JSON of Binance's answers about the spot market, with all fields (source: rest-api.md)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ..market.amounts import ZERO, text
from ..market.book import Book, Level
from ..market.market import Candle, PublicTrade
from ..market.orders import OrderType, Side
from ..market.symbols import Symbol
from .filters import AVERAGE_PRICE_MINUTES, listed

Json = dict[str, Any]


def symbol_info(symbol: Symbol) -> Json:
    return {
        "symbol": symbol.name,
        "status": "TRADING",
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": [kind.value for kind in OrderType],
        "icebergAllowed": False,
        "ocoAllowed": False,
        "otoAllowed": False,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "pegInstructionsAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": listed(symbol),
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def kline(candle: Candle) -> list[Any]:
    return [
        candle.start,
        text(candle.open),
        text(candle.high),
        text(candle.low),
        text(candle.close),
        text(candle.volume),
        candle.end,
        text(candle.quote_volume),
        candle.last_trade - candle.first_trade + 1,
        text(candle.taker_buy_volume),
        text(candle.taker_buy_quote_volume),
        "0",
    ]


def public_trade(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "time": trade.time,
        "isBuyerMaker": trade.buyer_is_maker,
        "isBestMatch": True,
    }


def aggregate_trade(trade: PublicTrade) -> Json:
    return {
        "a": trade.id,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.time,
        "m": trade.buyer_is_maker,
        "M": True,
    }


def depth(book: Book, update_id: int, limit: int) -> Json:
    return {
        "lastUpdateId": update_id,
        "bids": _levels(book.levels(Side.BUY, limit)),
        "asks": _levels(book.levels(Side.SELL, limit)),
    }


def _levels(levels: Sequence[Level]) -> list[list[str]]:
    return [[text(level.price), text(level.quantity)] for level in levels]


def price(symbol: str, last: Decimal) -> Json:
    return {"symbol": symbol, "price": text(last)}


def average_price(average: Decimal, now: int) -> Json:
    return {"mins": AVERAGE_PRICE_MINUTES, "price": text(average), "closeTime": now}


def book_ticker(book: Book) -> Json:
    bid, ask = book.best(Side.BUY), book.best(Side.SELL)
    return {
        "symbol": book.symbol.name,
        "bidPrice": text(bid.price if bid else ZERO),
        "bidQty": text(bid.quantity if bid else ZERO),
        "askPrice": text(ask.price if ask else ZERO),
        "askQty": text(ask.quantity if ask else ZERO),
    }


def mini_ticker(symbol: str, day: Candle) -> Json:
    return {
        "symbol": symbol,
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "lastPrice": text(day.close),
        "volume": text(day.volume),
        "quoteVolume": text(day.quote_volume),
        "openTime": day.start,
        "closeTime": day.end,
        "firstId": day.first_trade,
        "lastId": day.last_trade,
        "count": day.last_trade - day.first_trade + 1,
    }


def day_ticker(day: Candle, book: Book, last: PublicTrade) -> Json:
    change = day.close - day.open
    return {
        **mini_ticker(book.symbol.name, day),
        "priceChange": text(change),
        "priceChangePercent": f"{change * 100 / day.open:.3f}",
        "weightedAvgPrice": text(day.quote_volume / day.volume),
        "prevClosePrice": text(day.open),
        "lastQty": text(last.quantity),
        **book_ticker(book),
    }
