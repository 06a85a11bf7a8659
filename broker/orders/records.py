"""An order at the exchange, as it is kept beside its intent and told: decimals as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ..exchange import OrderState
from ..order_record import FeeRecord, OrderRecord
from .valuation import USDT

REALIZED: Final = "realizedPnL"
"""Before fees, as Binance booked it; of futures only."""


def order_record(order: OrderState) -> OrderRecord:
    """`fee` is the largest of its fees."""
    fees = [
        FeeRecord(cost=cost, asset=asset)
        for asset, cost in sorted(order.fees, key=lambda fee: fee[1], reverse=True)
    ]
    more: dict[str, Any] = {}
    if len(fees) > 1:
        more["other_fees"] = tuple(fees[1:])
    if order.realized is not None:
        more["realized"] = order.realized
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
        **more,
    )


def contract_order(kept: OrderRecord) -> dict[str, Any]:
    """The `order` that an agent is told."""
    return {name: value for name, value in kept.stored().items() if name != REALIZED}


def net_profit(kept: OrderRecord) -> Decimal | None:
    """In USDT: what Binance booked for the fills, less the fees taken in USDT; None until they were read."""
    if kept.realized is None:
        return None
    paid = (fee.cost for fee in kept.fees if fee.asset == USDT and fee.cost is not None)
    return kept.realized - sum(paid, Decimal(0))


def other_fees(kept: OrderRecord) -> dict[str, Any]:
    """Fees in another asset than USDT, which no profit is net of; nothing where there are none."""
    others = [fee.stored() for fee in kept.fees if fee.asset != USDT]
    return {"otherFees": others} if others else {}
