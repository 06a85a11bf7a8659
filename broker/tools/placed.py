"""An order at the exchange, as it is kept beside its intent and told: decimals as text."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ..exchange import OrderState
from ..money import plain


def order_json(order: OrderState) -> dict[str, Any]:
    """The contract's `order`. `fee` is the largest of its fees; others stand in `otherFees`."""
    fees = sorted(order.fees, key=lambda fee: fee[1], reverse=True)
    told = [{"cost": plain(cost), "asset": asset} for asset, cost in fees]
    shown: dict[str, Any] = {
        "id": order.id,
        "clientOrderId": order.client_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "price": _text(order.price),
        "average": _text(order.average),
        "amount": plain(order.amount),
        "filled": plain(order.filled),
        "cost": plain(order.cost),
        "fee": told[0] if told else None,
        "status": order.status,
        "timestamp": order.timestamp_ms,
    }
    if len(told) > 1:
        shown["otherFees"] = told[1:]
    return shown


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
