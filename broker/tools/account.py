"""The account: MEDIUM risk, passes straight through."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field

from .declaration import Call, Input, Number, Output, Risk, Symbol, Tool
from .profit import Fill, realized
from .valuation import equity, rate

Market = Annotated[Literal["spot"], Field(description="Futures come with a later release.")]


class AccountInput(Input):
    market: Market = "spot"


class AssetBalance(Output):
    asset: str
    free: Number
    locked: Number
    total: Number


class AccountAnswer(Output):
    accountType: str
    balances: list[AssetBalance]
    totalUSDT: Number
    canTrade: bool
    canWithdraw: Annotated[bool, Field(description="As Binance says of the account, not of the key.")]
    updateTime: int


class OpenOrdersInput(Input):
    symbol: Symbol | None = None
    market: Market = "spot"


class OpenOrder(Output):
    id: str
    clientOrderId: str
    symbol: str
    side: Literal["buy", "sell"]
    type: str
    price: Number | None
    stopPrice: Number | None
    amount: Number
    filled: Number
    remaining: Number
    status: str
    createdAt: int
    conditional: bool


class OpenOrders(Output):
    orders: list[OpenOrder]
    count: int


class TradeHistoryInput(Input):
    symbol: Symbol
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    market: Market = "spot"


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
        Number, Field(description="Sold without a buy among these trades; not in the profit.")
    ]
    count: int


async def _account(call: Call, _: AccountInput) -> AccountAnswer:
    account = await call.exchange.spot.account()
    prices = await call.exchange.spot.last_prices()
    return AccountAnswer(
        accountType="SPOT",
        balances=[
            AssetBalance(asset=item.asset, free=item.free, locked=item.locked, total=item.free + item.locked)
            for item in account.balances
            if item.free + item.locked > 0
        ],
        totalUSDT=round(equity(account, prices), 8),
        canTrade=account.can_trade,
        canWithdraw=account.can_withdraw,
        updateTime=account.update_time_ms,
    )


async def _open_orders(call: Call, arguments: OpenOrdersInput) -> OpenOrders:
    symbol = None if arguments.symbol is None else call.exchange.spot.symbol(arguments.symbol)
    orders = [_open_order(raw) for raw in await call.exchange.spot.open_orders(symbol)]
    return OpenOrders(orders=orders, count=len(orders))


def _open_order(raw: Mapping[str, Any]) -> OpenOrder:
    info = raw["info"]
    return OpenOrder(
        id=raw["id"],
        clientOrderId=raw["clientOrderId"],
        symbol=info["symbol"],
        side=raw["side"],
        type=info["type"].lower(),
        price=raw["price"] or None,
        stopPrice=raw["triggerPrice"] or None,
        amount=raw["amount"],
        filled=raw["filled"],
        remaining=raw["remaining"],
        status=raw["status"],
        createdAt=raw["timestamp"],
        conditional=False,
    )


async def _trade_history(call: Call, arguments: TradeHistoryInput) -> TradeHistory:
    symbol = call.exchange.spot.symbol(arguments.symbol)
    rules = call.exchange.spot.rules(symbol)
    raws = await call.exchange.spot.my_trades(symbol, arguments.limit)
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
    """In the quote asset, for fees taken in a third asset (BNB)."""
    assets = {raw["fee"]["currency"] for raw in raws} - {base, quote}
    if not assets:
        return {quote: Decimal(1)}
    prices = await call.exchange.spot.last_prices()
    of_quote = rate(quote, prices) or Decimal(1)
    return {quote: Decimal(1), **{asset: (rate(asset, prices) or Decimal(0)) / of_quote for asset in assets}}


def _fill(raw: Mapping[str, Any], base: str, rates: Mapping[str, Decimal]) -> Fill:
    asset, cost = raw["fee"]["currency"], raw["fee"]["cost"]
    in_base = asset == base
    return Fill(
        side=raw["side"],
        price=raw["price"],
        amount=raw["amount"],
        fee_quote=Decimal(0) if in_base else cost * rates[asset],
        fee_base=cost if in_base else Decimal(0),
    )


TOOLS = (
    Tool(
        name="binance_get_account",
        title="Balances",
        description="All balances that are not zero, and their total in USDT.",
        risk=Risk.MEDIUM,
        input=AccountInput,
        output=AccountAnswer,
        run=_account,
    ),
    Tool(
        name="binance_get_open_orders",
        title="Open orders",
        description="Orders that rest at the exchange, of one symbol or of all.",
        risk=Risk.MEDIUM,
        input=OpenOrdersInput,
        output=OpenOrders,
        run=_open_orders,
    ),
    Tool(
        name="binance_get_trade_history",
        title="Own trades",
        description="The account's latest trades in one symbol, with the profit they realised.",
        risk=Risk.MEDIUM,
        input=TradeHistoryInput,
        output=TradeHistory,
        run=_trade_history,
    ),
)
