"""An order at the exchange, as stored with its intent and returned to agents. Decimals are text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ..exchange import OrderState
from ..order_record import FeeRecord, OrderRecord
from .valuation import USDT

REALIZED: Final = "realizedPnL"
"""Realised P&L before fees, as Binance reports it. Futures only."""


def order_record(order: OrderState) -> OrderRecord:
    """The record to store. `fee` is the largest fee; `other_fees` are the rest."""
    fees = [
        FeeRecord(cost=cost, asset=asset)
        for asset, cost in sorted(order.fees, key=lambda fee: fee[1], reverse=True)
    ]
    optional: dict[str, Any] = {}
    if len(fees) > 1:
        optional["other_fees"] = tuple(fees[1:])
    if order.realized is not None:
        optional["realized"] = order.realized
    return OrderRecord(
        id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        price=order.price,
        average=order.average,
        amount=order.amount,
        filled=order.filled,
        cost=order.cost,
        fee=fees[0] if fees else None,
        status=order.status,
        timestamp=order.timestamp_ms,
        **optional,
    )


def contract_order(record: OrderRecord) -> dict[str, Any]:
    """The `order` object in an agent's answer."""
    return {name: value for name, value in record.stored().items() if name != REALIZED}


def net_profit(record: OrderRecord) -> Decimal | None:
    """Realised P&L in USDT, net of fees paid in USDT; None until the fills were read."""
    if record.realized is None:
        return None
    paid = (fee.cost for fee in record.fees if fee.asset == USDT and fee.cost is not None)
    return record.realized - sum(paid, Decimal(0))


def other_fees(record: OrderRecord) -> dict[str, Any]:
    """`otherFees`: fees in other assets than USDT, not part of `net_profit`. Empty if there are none."""
    others = [fee.stored() for fee in record.fees if fee.asset != USDT]
    return {"otherFees": others} if others else {}
