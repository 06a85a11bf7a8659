"""Market data: LOW risk, runs at once."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from ..exchange import PriceLevel
from ..money import percent
from ..orders.quote import best_of
from .declaration import WHOLE, Call, Input, Number, Output, Risk, Symbol, Tool

TOP = 20


class SymbolInput(Input):
    symbol: Symbol


class Ticker(Output):
    symbol: str
    price: Number
    bid: Number | None
    ask: Number | None
    high24h: Number
    low24h: Number
    volume24h: Number
    change24h: Annotated[Number, Field(description="Percent.")]
    timestamp: int


class BookInput(Input):
    symbol: Symbol
    limit: Annotated[Literal[5, 10, 20, 50, 100], Field(description="How many levels of each side.")] = 20


class BookLevel(Output):
    price: Number
    amount: Number


class OrderBook(Output):
    symbol: str
    bids: list[BookLevel]
    asks: list[BookLevel]
    spread: Number
    spreadPercentage: Number
    timestamp: int


class KlinesInput(Input):
    symbol: Symbol
    interval: Annotated[
        Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w"],
        Field(description="The length of a candle."),
    ] = "5m"
    limit: Annotated[int, Field(ge=1, le=500, description="How many, the latest."), WHOLE] = 100


class Candle(Output):
    timestamp: int
    open: Number
    high: Number
    low: Number
    close: Number
    volume: Number


class Klines(Output):
    symbol: str
    interval: str
    candles: list[Candle]
    count: int


class TradesInput(Input):
    symbol: Symbol
    limit: Annotated[int, Field(ge=1, le=100, description="How many, the latest."), WHOLE] = 50


class PublicTrade(Output):
    id: str
    price: Number
    amount: Number
    side: Literal["buy", "sell"]
    timestamp: int


class Trades(Output):
    symbol: str
    trades: list[PublicTrade]
    count: int


class ExchangeInfoInput(Input):
    symbol: Annotated[Symbol | None, Field(description="Default: the largest markets.")] = None


class Precision(Output):
    amount: Number
    price: Number


class Range(Output):
    min: Number | None
    max: Number | None


class Limits(Output):
    amount: Range
    price: Range
    cost: Range


class TopMarket(Output):
    symbol: str
    price: Number
    volume24h: Annotated[Number, Field(description="In USDT.")]


class ExchangeInfo(Output):
    """With a symbol: its rules. Without: the number of markets, and the largest ones."""

    symbol: str | None = None
    base: str | None = None
    quote: str | None = None
    precision: Precision | None = None
    limits: Limits | None = None
    active: bool | None = None
    totalMarkets: int | None = None
    topMarkets: list[TopMarket] | None = None


async def _ticker(call: Call, arguments: SymbolInput) -> Ticker:
    symbol = call.exchange.spot.symbol(arguments.symbol)
    raw = await call.exchange.spot.ticker(symbol)
    return Ticker(
        symbol=symbol,
        price=raw["last"],
        bid=raw["bid"],
        ask=raw["ask"],
        high24h=raw["high"],
        low24h=raw["low"],
        volume24h=raw["baseVolume"],
        change24h=raw["percentage"],
        timestamp=raw["timestamp"],
    )


async def _order_book(call: Call, arguments: BookInput) -> OrderBook:
    symbol = call.exchange.spot.symbol(arguments.symbol)
    book = await call.exchange.spot.book(symbol, arguments.limit)
    ask = best_of(book, "buy")
    spread = ask - best_of(book, "sell")
    return OrderBook(
        symbol=symbol,
        bids=_levels(book.bids, arguments.limit),
        asks=_levels(book.asks, arguments.limit),
        spread=spread,
        spreadPercentage=round(percent(spread, ask), 6),
        timestamp=book.timestamp_ms,
    )


def _levels(levels: tuple[PriceLevel, ...], limit: int) -> list[BookLevel]:
    return [BookLevel(price=level.price, amount=level.amount) for level in levels[:limit]]


async def _klines(call: Call, arguments: KlinesInput) -> Klines:
    symbol = call.exchange.spot.symbol(arguments.symbol)
    rows = await call.exchange.spot.klines(symbol, arguments.interval, arguments.limit)
    candles = [
        Candle(timestamp=row[0], open=row[1], high=row[2], low=row[3], close=row[4], volume=row[5])
        for row in rows
    ]
    return Klines(symbol=symbol, interval=arguments.interval, candles=candles, count=len(candles))


async def _trades(call: Call, arguments: TradesInput) -> Trades:
    symbol = call.exchange.spot.symbol(arguments.symbol)
    trades = [
        PublicTrade(
            id=row["id"],
            price=row["price"],
            amount=row["amount"],
            side=row["side"],
            timestamp=row["timestamp"],
        )
        for row in await call.exchange.spot.trades(symbol, arguments.limit)
    ]
    return Trades(symbol=symbol, trades=trades, count=len(trades))


async def _exchange_info(call: Call, arguments: ExchangeInfoInput) -> ExchangeInfo:
    if arguments.symbol is None:
        return await _all_markets(call)
    rules = call.exchange.spot.rules(call.exchange.spot.symbol(arguments.symbol))
    return ExchangeInfo(
        symbol=rules.symbol,
        base=rules.base,
        quote=rules.quote,
        precision=Precision(amount=rules.step, price=rules.tick),
        limits=Limits(
            amount=Range(min=rules.min_amount, max=rules.max_amount),
            price=Range(min=rules.min_price, max=rules.max_price),
            cost=Range(min=rules.min_notional, max=rules.max_notional),
        ),
        active=rules.active,
    )


async def _all_markets(call: Call) -> ExchangeInfo:
    tickers = await call.exchange.spot.all_tickers()
    quoted = [(symbol, raw) for symbol, raw in tickers.items() if _in_usdt(call, symbol)]
    quoted.sort(key=lambda item: _volume(item[1]), reverse=True)
    return ExchangeInfo(
        totalMarkets=len(tickers),
        topMarkets=[
            TopMarket(symbol=symbol, price=raw["last"], volume24h=_volume(raw))
            for symbol, raw in quoted[:TOP]
        ],
    )


def _in_usdt(call: Call, symbol: str) -> bool:
    return symbol.endswith("USDT") and call.exchange.spot.rules(symbol).quote == "USDT"


def _volume(raw: dict[str, Any]) -> Decimal:
    return raw["quoteVolume"] or Decimal(0)


TOOLS = (
    Tool(
        name="binance_get_ticker",
        title="Price and 24 h statistics",
        description="The last price, best bid and ask, and the last 24 hours of one spot symbol. Prices "
        "are in the quote asset (USDT of BTCUSDT), volume24h in the base asset, change24h in percent. "
        "Futures prices differ.",
        risk=Risk.LOW,
        input=SymbolInput,
        output=Ticker,
        run=_ticker,
    ),
    Tool(
        name="binance_get_orderbook",
        title="Order book",
        description="The best bids (highest first) and asks (lowest first) of one spot symbol, and the "
        "spread. Prices are in the quote asset, amounts in the base asset; spreadPercentage is in percent "
        "of the ask.",
        risk=Risk.LOW,
        input=BookInput,
        output=OrderBook,
        run=_order_book,
    ),
    Tool(
        name="binance_get_klines",
        title="Candles",
        description="Candles of one spot symbol, oldest first; the last one is still forming. timestamp is "
        "when a candle opens; volume is in the base asset.",
        risk=Risk.LOW,
        input=KlinesInput,
        output=Klines,
        run=_klines,
    ),
    Tool(
        name="binance_get_trades",
        title="Recent public trades",
        description="The latest public trades of one spot symbol, oldest first; side is what the taker "
        "did. For the account's own trades use binance_get_trade_history.",
        risk=Risk.LOW,
        input=TradesInput,
        output=Trades,
        run=_trades,
    ),
    Tool(
        name="binance_get_exchange_info",
        title="Markets and their rules",
        description="The rules of one spot symbol: precision gives the steps of amount and price, "
        "limits.cost the value of an order in the quote asset. Without a symbol: the number of spot "
        "symbols, and the 20 largest against USDT.",
        risk=Risk.LOW,
        input=ExchangeInfoInput,
        output=ExchangeInfo,
        run=_exchange_info,
    ),
)
