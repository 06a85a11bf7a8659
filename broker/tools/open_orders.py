"""Open orders at Binance: MEDIUM risk, runs at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..exchange import RestingOrder
from .declaration import Call, Input, MarketName, Number, Output, Risk, Symbol, Tool


class OpenOrdersInput(Input):
    symbol: Annotated[Symbol | None, Field(description="Default: all symbols.")] = None
    market: MarketName = "spot"


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


async def _open_orders(call: Call, arguments: OpenOrdersInput) -> OpenOrders:
    venue = call.exchange.on(arguments.market)
    symbol = None if arguments.symbol is None else venue.symbol(arguments.symbol)
    orders = [_open_order(order) for order in await venue.open_orders(symbol)]
    return OpenOrders(orders=orders, count=len(orders))


def _open_order(order: RestingOrder) -> OpenOrder:
    return OpenOrder(
        id=order.id,
        clientOrderId=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        price=order.price,
        stopPrice=order.stop_price,
        amount=order.amount,
        filled=order.filled,
        remaining=order.remaining,
        status=order.status,
        createdAt=order.created_at_ms,
        conditional=order.conditional,
    )


TOOLS = (
    Tool(
        name="binance_get_open_orders",
        title="Open orders",
        description="The open orders at Binance, on spot (the default) or futures, of one symbol or all. On "
        "futures this includes conditional orders, which wait for their trigger. To cancel one, pass on "
        "its id, symbol and conditional, and the same market. Requests that wait for a trader are not at "
        "Binance: see intent_list.",
        risk=Risk.MEDIUM,
        input=OpenOrdersInput,
        output=OpenOrders,
        run=_open_orders,
    ),
)
