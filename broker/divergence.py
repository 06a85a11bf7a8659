"""What Binance tells of an order, held against what a trader approved. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from .money import about, grouped

BUY: Final = "buy"

ROUNDING: Final = Decimal("0.00000001")
"""Binance tells what a fill cost in eight decimals."""


def divergence(terms: Mapping[str, Any], order: Mapping[str, Any]) -> str | None:
    """In what the order differs from the approved terms, for people; None where it matches.

    A partial fill matches, and so does less than was approved. `order` is as it is kept beside its intent.
    """
    approved = terms["arguments"]
    for name in ("symbol", "side"):
        if order.get(name) != approved.get(name):
            return f"{name} {order.get(name)}, approved was {approved.get(name)}"
    return _too_much(approved, order) or _too_dear(terms, order)


def _too_much(approved: Mapping[str, Any], order: Mapping[str, Any]) -> str | None:
    allowed = Decimal(approved["amount"])
    for what, name in (("ordered", "amount"), ("filled", "filled")):
        amount = Decimal(order[name])
        if amount > allowed:
            return f"{what} {grouped(amount)}, approved was {grouped(allowed)}"
    return None


def _too_dear(terms: Mapping[str, Any], order: Mapping[str, Any]) -> str | None:
    """Worse than the limit, or than the price that a market order was approved at."""
    filled, cost = Decimal(order["filled"]), Decimal(order["cost"])
    bound = terms["arguments"].get("price") or terms["worstPrice"]
    if not filled or bound is None:
        return None
    worst = Decimal(bound)
    lost = cost - worst * filled if order["side"] == BUY else worst * filled - cost
    if lost <= ROUNDING:
        return None
    return f"filled at {about(cost / filled)}, approved was {grouped(worst)} or better"
