"""The account's own trades: MEDIUM risk, runs at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from ..orders.valuation import rate
from .declaration import WHOLE, Call, Input, MarketName, Number, Output, Risk, Symbol, Tool
from .profit import Fill, realized


class TradeHistoryInput(Input):
    symbol: Symbol
    limit: Annotated[int, Field(ge=1, le=100, description="How many, the latest."), WHOLE] = 50
    market: MarketName = "spot"


class Fee(Output):
    cost: Number
    asset: str


class OwnTrade(Output):
    id: str
    orderId: str
    side: Literal["buy", "sell"]
    price: Number
    amount: Number
    cost: Number
    fee: Fee
    timestamp: int


class TradeHistory(Output):
    symbol: str
    trades: list[OwnTrade]
    realizedPnL: Annotated[
        Number,
        Field(description="Net of fees, at average cost over the trades returned, in the quote asset."),
    ]
    totalPnL: Number
    unmatchedAmount: Annotated[
        Number,
        Field(
            description="Sold without a buy among these trades (on futures: closed without its opening). "
            "Not included in the P&L."
        ),
    ]
    count: int


async def _trade_history(call: Call, arguments: TradeHistoryInput) -> TradeHistory:
    venue = call.exchange.on(arguments.market)
    symbol = venue.symbol(arguments.symbol)
    rules = venue.rules(symbol)
    raws = await venue.my_trades(symbol, arguments.limit)
    rates = await _fee_rates(call, raws, rules.base, rules.quote)
    profit = realized(_fill(raw, rules.base, rates) for raw in raws)
    return TradeHistory(
        symbol=symbol,
        trades=[_own_trade(raw) for raw in raws],
        realizedPnL=round(profit.realized, 8),
        totalPnL=round(profit.realized, 8),
        unmatchedAmount=profit.unmatched,
        count=len(raws),
    )


def _own_trade(raw: Mapping[str, Any]) -> OwnTrade:
    return OwnTrade(
        id=raw["id"],
        orderId=raw["order"],
        side=raw["side"],
        price=raw["price"],
        amount=raw["amount"],
        cost=raw["cost"],
        fee=Fee(cost=raw["fee"]["cost"], asset=raw["fee"]["currency"]),
        timestamp=raw["timestamp"],
    )


async def _fee_rates(call: Call, raws: list[dict[str, Any]], base: str, quote: str) -> Mapping[str, Decimal]:
    """By fee asset, its price in the quote asset. Base fees are handled apart; the rest is usually BNB."""
    assets = {raw["fee"]["currency"] for raw in raws} - {base, quote}
    if not assets:
        return {quote: Decimal(1)}
    prices = await call.exchange.spot.last_prices()
    of_quote = rate(quote, prices) or Decimal(1)
    return {quote: Decimal(1), **{asset: (rate(asset, prices) or Decimal(0)) / of_quote for asset in assets}}


def _fill(raw: Mapping[str, Any], base: str, rates: Mapping[str, Decimal]) -> Fill:
    asset, cost = raw["fee"]["currency"], raw["fee"]["cost"]
    in_base, booked = asset == base, raw["info"].get("realizedPnl")
    return Fill(
        side=raw["side"],
        price=raw["price"],
        amount=raw["amount"],
        fee_quote=Decimal(0) if in_base else cost * rates[asset],
        fee_base=cost if in_base else Decimal(0),
        opens=None if booked is None else not Decimal(booked),
    )


TOOLS = (
    Tool(
        name="binance_get_trade_history",
        title="Own trades",
        description="The account's own latest trades in one symbol, on spot (the default) or futures, oldest "
        "first, and the realised P&L of these trades alone, net of fees, in the quote asset. "
        "cost is price times amount.",
        risk=Risk.MEDIUM,
        input=TradeHistoryInput,
        output=TradeHistory,
        run=_trade_history,
    ),
)
