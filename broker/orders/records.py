"""An order at the exchange, as it is kept beside its intent and told: decimals as text."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ..exchange import OrderState
from ..money import plain
from .valuation import USDT

REALIZED: Final = "realizedPnL"
"""Before fees, as Binance booked it; of futures only."""


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
    if order.realized is not None:
        shown[REALIZED] = plain(order.realized)
    return shown


def contract_order(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The `order` that an agent is told."""
    return {name: value for name, value in kept.items() if name != REALIZED}


def net_profit(kept: Mapping[str, Any]) -> Decimal | None:
    """In USDT: what Binance booked for the fills, less the fees taken in USDT; None until they were read."""
    if kept.get(REALIZED) is None:
        return None
    paid = sum((Decimal(fee["cost"]) for fee in _fees(kept) if fee["asset"] == USDT), Decimal(0))
    return Decimal(kept[REALIZED]) - paid


def other_fees(kept: Mapping[str, Any]) -> dict[str, Any]:
    """Fees in another asset than USDT, which no profit is net of; nothing where there are none."""
    others = [fee for fee in _fees(kept) if fee["asset"] != USDT]
    return {"otherFees": others} if others else {}


def _fees(kept: Mapping[str, Any]) -> list[Mapping[str, str]]:
    return [kept["fee"], *kept.get("otherFees", ())] if kept.get("fee") else []


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
