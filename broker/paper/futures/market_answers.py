"""The JSON of Binance's answers about the futures market, with all documented fields."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ..market.amounts import ZERO, text
from ..market.book import Book, Level
from ..market.market import Candle, PublicTrade
from ..market.orders import Side
from . import filters, funding
from .contracts import Contract
from .liquidation import CLEARING_FEE
from .orders import AlgoType, OrderType, TimeInForce

Json = dict[str, Any]
_ONBOARDED = 1_569_398_400_000
_DELIVERY = 4_133_404_800_000
"""In the far future: a perpetual contract is never delivered."""


def contract_info(contract: Contract) -> Json:
    lowest = contract.brackets[0]
    return {
        "symbol": contract.name,
        "pair": contract.name,
        "contractType": "PERPETUAL",
        "deliveryDate": _DELIVERY,
        "onboardDate": _ONBOARDED,
        "status": "TRADING",
        "maintMarginPercent": f"{lowest.rate * 100:.4f}",
        "requiredMarginPercent": f"{Decimal(100) / 20:.4f}",
        "baseAsset": contract.base,
        "quoteAsset": contract.quote,
        "marginAsset": contract.quote,
        "pricePrecision": contract.price_decimals,
        "quantityPrecision": contract.quantity_decimals,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"] if contract.base == "BTC" else ["Layer-1"],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": f"{CLEARING_FEE:.6f}",
        "marketTakeBound": f"{contract.percent_up - 1:.2f}",
        "maxMoveOrderLimit": 10_000,
        "filters": filters.listed(contract),
        "orderTypes": [*OrderType, *AlgoType],
        "timeInForce": [*TimeInForce],
        "permissionSets": ["GRID", "COPY"],
    }


def depth(book: Book, update_id: int, limit: int, now: int) -> Json:
    return {
        "lastUpdateId": update_id,
        "E": now,
        "T": now,
        "bids": _levels(book.levels(Side.BUY, limit)),
        "asks": _levels(book.levels(Side.SELL, limit)),
    }


def _levels(levels: Sequence[Level]) -> list[list[str]]:
    return [[text(level.price), text(level.quantity)] for level in levels]


def public_trade(trade: PublicTrade) -> Json:
    return {
        "id": trade.id,
        "price": text(trade.price),
        "qty": text(trade.quantity),
        "quoteQty": text(trade.price * trade.quantity),
        "time": trade.time,
        "isBuyerMaker": trade.buyer_is_maker,
        "isRPITrade": False,
    }


def aggregate_trade(trade: PublicTrade) -> Json:
    return {
        "a": trade.id,
        "p": text(trade.price),
        "q": text(trade.quantity),
        "nq": text(trade.quantity),
        "f": trade.id,
        "l": trade.id,
        "T": trade.time,
        "m": trade.buyer_is_maker,
    }


def price(symbol: str, last: Decimal, now: int) -> Json:
    return {"symbol": symbol, "price": text(last), "time": now}


def book_ticker(book: Book, update_id: int, now: int) -> Json:
    bid, ask = book.best(Side.BUY), book.best(Side.SELL)
    return {
        "lastUpdateId": update_id,
        "symbol": book.symbol.name,
        "bidPrice": text(bid.price if bid else ZERO),
        "bidQty": text(bid.quantity if bid else ZERO),
        "askPrice": text(ask.price if ask else ZERO),
        "askQty": text(ask.quantity if ask else ZERO),
        "time": now,
    }


def day_ticker(symbol: str, day: Candle, last: PublicTrade) -> Json:
    """The 24 h ticker. On futures it has no bid and no ask."""
    change = day.close - day.open
    return {
        "symbol": symbol,
        "priceChange": text(change),
        "priceChangePercent": f"{change * 100 / day.open:.3f}",
        "weightedAvgPrice": text(day.quote_volume / day.volume),
        "lastPrice": text(day.close),
        "lastQty": text(last.quantity),
        "openPrice": text(day.open),
        "highPrice": text(day.high),
        "lowPrice": text(day.low),
        "volume": text(day.volume),
        "quoteVolume": text(day.quote_volume),
        "openTime": day.start,
        "closeTime": day.end,
        "firstId": day.first_trade,
        "lastId": day.last_trade,
        "count": day.last_trade - day.first_trade + 1,
    }


def premium_index(symbol: str, mark: Decimal, rate: Decimal, now: int) -> Json:
    """`rate` is the rate of the next funding."""
    return {
        "symbol": symbol,
        "markPrice": text(mark),
        "indexPrice": text(mark),
        "estimatedSettlePrice": text(mark),
        "lastFundingRate": text(rate),
        "interestRate": text(funding.INTEREST),
        "nextFundingTime": funding.next_time(now),
        "time": now,
    }


def funding_rate(symbol: str, rate: Decimal, time: int, mark: Decimal) -> Json:
    return {"symbol": symbol, "fundingRate": text(rate), "fundingTime": time, "markPrice": text(mark)}


def funding_info(symbol: str) -> Json:
    return {
        "symbol": symbol,
        "adjustedFundingRateCap": text(funding.CAP),
        "adjustedFundingRateFloor": text(funding.FLOOR),
        "fundingIntervalHours": funding.INTERVAL_HOURS,
        "disclaimer": False,
    }
