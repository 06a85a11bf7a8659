"""Compares an order at Binance with what the trader approved. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .arguments import OrderArguments
from .intents import Terms
from .money import about, grouped
from .order_record import OrderRecord

BUY: Final = "buy"

ROUNDING: Final = Decimal("0.00000001")
"""Binance reports the cost of a fill with eight decimals."""


def divergence(terms: Terms, order: OrderRecord) -> str | None:
    """How the order differs from the approved terms, as text for the page; None if it matches.

    A partial fill matches, and so does a smaller order.
    """
    approved = OrderArguments.of(terms.arguments)
    if order.symbol != approved.symbol:
        return f"symbol {order.symbol}; approved: {approved.symbol}"
    if order.side != approved.side:
        return f"side {order.side}; approved: {approved.side}"
    return _above_amount(approved.amount, order) or _worse_price(approved.price or terms.worst_price, order)


def _above_amount(approved: Decimal, order: OrderRecord) -> str | None:
    for what, amount in (("ordered", order.amount), ("filled", order.filled)):
        if amount > approved:
            return f"{what} {grouped(amount)}; approved: {grouped(approved)}"
    return None


def _worse_price(worst: Decimal | None, order: OrderRecord) -> str | None:
    """`worst`: the limit price, or the worst price approved for a market order."""
    if not order.filled or worst is None:
        return None
    lost = order.cost - worst * order.filled if order.side == BUY else worst * order.filled - order.cost
    if lost <= ROUNDING:
        return None
    return f"filled at {about(order.cost / order.filled)}; approved: {grouped(worst)} or better"
