"""The `rounded` and `result` objects in the answers of HIGH tools. Stored as text, returned as numbers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..exchange.models import OrderStatus, OrderType, PositionSide
from ..money import Side
from .declaration import MarketName, Number, Output


class RoundedOrder(Output):
    symbol: str
    side: Side
    type: OrderType
    amount: Number
    market: MarketName
    price: Number | None = None
    stopPrice: Number | None = None
    reduceOnly: bool | None = None


class RoundedLeverage(Output):
    symbol: str
    leverage: int


class RestingTold(Output):
    """An open order that the request would cancel."""

    id: str
    conditional: bool
    side: Side
    type: str
    price: Number | None
    stopPrice: Number | None
    remaining: Number
    reduceOnly: bool


class RoundedCancel(Output):
    symbol: str
    market: MarketName
    orders: list[RestingTold]
    orderId: str | None = None
    conditional: bool | None = None


class Fee(Output):
    cost: Number
    asset: str


class PlacedOrder(Output):
    id: str
    clientOrderId: str
    symbol: str
    side: Side
    type: str
    price: Number | None
    average: Number | None
    amount: Number
    filled: Annotated[Number, Field(description="The executed amount, in the base asset; 0: nothing yet.")]
    cost: Annotated[Number, Field(description="Value of the executed amount, in the quote asset.")]
    fee: Fee | None
    status: OrderStatus
    timestamp: int
    otherFees: list[Fee] | None = None


class OrderResult(Output):
    success: Literal[True]
    order: PlacedOrder


class ClosedPosition(Output):
    symbol: str
    closedSize: Number
    closedSide: PositionSide
    entryPrice: Number
    exitPrice: Number | None
    realizedPnL: Number | None
    orderId: str
    otherFees: list[Fee] | None = None


class CloseResult(Output):
    success: Literal[True]
    closedPosition: ClosedPosition


class LeverageResult(Output):
    success: Literal[True]
    symbol: str
    leverage: int
    previousLeverage: int
    message: str


class CancelledOrder(Output):
    id: str
    symbol: str
    status: Literal["CANCELLED"]


class CancelResult(Output):
    success: Literal[True]
    cancelledOrder: CancelledOrder


class CancelAllResult(Output):
    success: Literal[True]
    cancelledCount: int


Rounded = RoundedOrder | RoundedLeverage | RoundedCancel
Result = OrderResult | CloseResult | LeverageResult | CancelResult | CancelAllResult
