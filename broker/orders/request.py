"""Turns stored arguments into an order. Checks, card, submission and counting all use the same one."""

from __future__ import annotations

from ..arguments import Arguments, OrderArguments
from ..exchange import OrderRequest
from ..intents import Intent
from ..order_types import Market


def order_of(arguments: Arguments) -> OrderRequest:
    """The order that rounded arguments describe. Raises TypeError if they do not describe an order."""
    order = OrderArguments.of(arguments)
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        amount=order.amount,
        price=order.price,
        stop_price=order.stop_price,
        reduce_only=order.reduce_only,
        market=order.market or Market.SPOT,
    )


def order_in(intent: Intent) -> OrderRequest | None:
    """The order of a request; None if it changes a setting."""
    return None if intent.ordering is None else order_of(intent.ordering)
