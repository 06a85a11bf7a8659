"""What Binance tells of an order, held against what a trader approved. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from .arguments import OrderArguments
from .intents import Terms
from .money import about, grouped
from .order_record import OrderRecord

BUY: Final = "buy"

ROUNDING: Final = Decimal("0.00000001")
"""Binance tells what a fill cost in eight decimals."""


def divergence(terms: Terms, order: OrderRecord) -> str | None:
    """In what the order differs from the approved terms, for people; None where it matches.

    A partial fill matches, and so does less than was approved.
    """
    approved = OrderArguments.of(terms.arguments)
    if order.symbol != approved.symbol:
        return f"symbol {order.symbol}, approved was {approved.symbol}"
    if order.side != approved.side:
        return f"side {order.side}, approved was {approved.side}"
    return _too_much(approved.amount, order) or _too_dear(approved.price or terms.worst_price, order)


def _too_much(allowed: Decimal, order: OrderRecord) -> str | None:
    for what, amount in (("ordered", order.amount), ("filled", order.filled)):
        if amount > allowed:
            return f"{what} {grouped(amount)}, approved was {grouped(allowed)}"
    return None


def _too_dear(worst: Decimal | None, order: OrderRecord) -> str | None:
    """Worse than the limit, or than the price that a market order was approved at."""
    if not order.filled or worst is None:
        return None
    lost = order.cost - worst * order.filled if order.side == BUY else worst * order.filled - order.cost
    if lost <= ROUNDING:
        return None
    return f"filled at {about(order.cost / order.filled)}, approved was {grouped(worst)} or better"
